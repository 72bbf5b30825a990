"""What touches the outside world: TLS, HTTP, the store, the bus."""
