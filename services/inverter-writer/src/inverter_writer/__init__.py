"""Owns the inverters' Modbus endpoints: reads them, applies setpoints, reads back."""
