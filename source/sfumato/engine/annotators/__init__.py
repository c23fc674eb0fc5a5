"""Preprocessors: from a picture to the map that a ControlNet reads (edges, depth, poses ...).

Start at `annotate`; `table.PREPROCESSORS` has a row for each, `row` says what a row is. Those that are networks have their modules in `networks/`.
"""

from sfumato.engine.annotators.making import Maps, Workshop, annotate, find_files, preprocessor_of, problems_of
from sfumato.engine.annotators.row import Map, Preprocessor, Setting
from sfumato.engine.annotators.table import PREPROCESSORS

__all__ = ["PREPROCESSORS", "Map", "Maps", "Preprocessor", "Setting", "Workshop", "annotate", "find_files", "preprocessor_of", "problems_of"]
