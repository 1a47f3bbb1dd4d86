"""The Functions host: serves function_app.py over HTTP and queues. `python -m local.host`."""
