"""Local stand-ins for the Functions host, Static Web Apps, Azure and the Realtime API."""
