"""For tests of services, ours and those swapped in: a fake bus, builders, the plant."""
