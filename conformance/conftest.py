"""Collected only where `cactus-test-definitions` is installed (Python 3.12 or newer): `make conformance`."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("cactus_test_definitions") else ["test_*.py"]
