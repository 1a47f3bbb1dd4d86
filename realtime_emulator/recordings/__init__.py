"""Recorded traffic of the real API: kept by a proxy, replayed as a script, compared with what the
emulator does."""
