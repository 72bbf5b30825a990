"""Keys, requests and certificates of IEEE 2030.5: P-256 throughout (IEEE 2030.5 6.11)."""
