"""A whole solar site as Modbus devices."""
