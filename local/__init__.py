"""What stands in for the cloud on a laptop: function host, gateway, and the Realtime API."""
