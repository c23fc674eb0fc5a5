"""How files spell the names of weights: the original (CompVis) layout, and diffusers' own, which is the canonical one here.

Pure functions over names, no tensors. `original.py` sorts the keys of a single file into parts; `unet.py`, `vae.py`, `clip.py` translate the
names of one part, both ways.
"""
