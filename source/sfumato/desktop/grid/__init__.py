"""Grids: the axes a person sets, and the sheets that are made of them."""
