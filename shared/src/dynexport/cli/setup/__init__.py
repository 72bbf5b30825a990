"""`dynexport setup`: questions, or a file of answers, become a `site.yaml`."""
