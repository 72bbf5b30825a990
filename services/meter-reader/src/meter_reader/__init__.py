"""Reads the site meter and publishes its readings."""
