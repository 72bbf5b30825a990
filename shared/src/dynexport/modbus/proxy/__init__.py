"""Others read what stands behind an endpoint of ours, over Modbus TCP: read-only, and only while we do not need it."""
