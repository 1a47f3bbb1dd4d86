"""Static Web Apps: the page, sign-in, roles and /api/*. `python -m local.gateway`."""
