"""What local programs share: running child processes."""
