"""Obeys a utility server over CSIP-AUS (IEEE 2030.5): its controls become `limit/csip`; reports back to it."""
