"""Inverters and meters of other makes, written from the makers' own documents and not from our descriptions."""
