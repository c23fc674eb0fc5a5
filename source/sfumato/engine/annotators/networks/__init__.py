"""Preprocessors that are networks: each has a file of its own in models/annotators, in safetensors, and nothing is ever downloaded."""
