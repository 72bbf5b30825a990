"""Meters of the simulated site that answer by HTTP, each at the address that `site.yaml` gives it."""
