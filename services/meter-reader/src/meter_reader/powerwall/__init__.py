"""A Tesla Powerwall gateway: what it says, how it is asked."""
