"""Painting: masks, regions and layers over a picture, kept apart from its file.

Start at `document.Canvas`, which is plain images and needs no window; what can be undone is in `history`, a brush's way in `stroke`, what else changes pixels
in `changes`. `view` draws a canvas, `room` is what the window knows as `studio.canvas`.
"""
