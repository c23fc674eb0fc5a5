"""Previews: small pictures of what is being denoised, made beside the work and never in its way.

How latents become colours is a mode, a row of `modes.MODES`: `linear` (one matrix for each family), `tiny` (a small autoencoder that the user supplies) and
`full` (the VAE itself). When they are made is the `Previewer`'s to say. They cannot change a bit of the result: they only read.
"""

from __future__ import annotations

from sfumato.engine.preview.linear import factors_of, fit_factors, linear_colours
from sfumato.engine.preview.modes import PreviewMemory, Previews, previewer_of
from sfumato.engine.preview.previewer import Previewer

__all__ = ["PreviewMemory", "Previewer", "Previews", "factors_of", "fit_factors", "linear_colours", "previewer_of"]
