"""What every Dynexport service shares; the only package a service may import besides its own."""

__version__ = "0.1.0"
CONTRACT_VERSION = 1
