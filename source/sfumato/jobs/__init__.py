"""Runs jobs: what kinds there are, in which order they run, what they may ask of their surroundings, what they said.

No torch, no sockets, no Qt. `registry.py` names the kinds, `dispatcher.py` keeps the contract (one ending, rising seq, replay), `runner.py` calls a
handler on a thread, `context.py` is all a handler sees.
"""
