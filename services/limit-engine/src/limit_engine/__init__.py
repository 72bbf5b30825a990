"""Merges the limits and runs the control law."""
