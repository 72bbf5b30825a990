"""Everything that speaks Modbus: endpoints with one owner, SunSpec devices. Only here pymodbus and pysunspec2."""
