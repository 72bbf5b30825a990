"""What every Dynexport service shares; the only package a service may import besides its own."""

from datetime import UTC, datetime

__version__ = "0.1.0"
CONTRACT_VERSION = 1

# No clock that is right shows an earlier time than this.
BUILD_TIME = datetime(2026, 11, 24, tzinfo=UTC)
