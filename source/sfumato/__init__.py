"""Sfumato: a studio for Stable Diffusion. Start reading in `docs/architecture.md`."""

__version__ = "0.1.0"
