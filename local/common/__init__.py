"""What all local programs share: serving, and running child processes."""
