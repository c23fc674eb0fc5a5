"""Moves commands and events between a client and whoever runs the jobs; knows no job kind. Start at `endpoint.py`."""
