"""Publishes limits from tariffs."""
