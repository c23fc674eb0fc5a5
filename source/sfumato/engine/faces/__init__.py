"""Faces in a picture: found, brought upright to one size, mended by a network, and laid back. Rule: E79 of engine.

`retinaface` finds them, `alignment` is the geometry, `mending` puts it together; `files` says which file is which, by its header.
"""

from sfumato.engine.faces.detection import Detector, Face, open_detector
from sfumato.engine.faces.files import find_detector, find_restorer
from sfumato.engine.faces.mending import FaceMender

__all__ = ["Detector", "Face", "FaceMender", "find_detector", "find_restorer", "open_detector"]
