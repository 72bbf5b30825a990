"""IEEE 2030.5 on the wire: documents in and out, by the standard's own names; nothing here decides."""
