"""What touches the outside: the Modbus servers."""
