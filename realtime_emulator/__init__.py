"""The Realtime and the Live API on a laptop: REST, WebRTC media, data channel and sideband.

Keep this file free of imports: the worker processes (speech/worker.py) load it too.
"""
