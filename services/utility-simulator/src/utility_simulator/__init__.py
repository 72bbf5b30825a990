"""A utility server for the demo and the tests: CSIP-AUS over mutual TLS, told what to do and how to fail."""
