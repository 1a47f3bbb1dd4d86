"""How a local server serves: flags, names that it answers to, refusals, start-up and shutdown."""
