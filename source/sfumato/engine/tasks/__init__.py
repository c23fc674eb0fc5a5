"""Handlers, one module per job kind: `run(request, context) -> result`."""
