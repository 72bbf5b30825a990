"""Devices that a data file describes: docs/devices.md."""
