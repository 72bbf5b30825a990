"""`dynexport doctor`: one pass of checks, each with a verdict, a sentence and what to do."""
