"""What touches the outside world."""
