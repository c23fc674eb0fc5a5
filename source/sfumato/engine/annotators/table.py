"""Every preprocessor that there is, one row each; requests, the catalog, the command line and the documents know them from here. Rule E84."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from sfumato.engine.annotators import edges, surfaces, tones
from sfumato.engine.annotators.networks import depth, hed, line_art, pidinet, pose, straight_lines
from sfumato.engine.annotators.networks.files import NetworkFile, Networks
from sfumato.engine.annotators.people import draw_people
from sfumato.engine.annotators.row import Map, Preprocessor, Seen, Setting
from sfumato.imaging.pose.keypoints import Pose

Find = Callable[[Networks, frozenset[str]], Sequence[Path]]

NONE = "none"
_GAMMA = Setting("threshold_a", "Gamma", 1.0, 0.1, 2.0, 0.05)


def _hidden(seen: Seen) -> Map:
    mask = seen.mask if seen.mask is not None else np.zeros(seen.pixels.shape[:2])
    return tones.with_hidden(seen.pixels, mask)


def _pose(seen: Seen) -> Map:
    height, width = seen.pixels.shape[:2]
    return Map(draw_people(seen.people, width, height, seen.parts), pose=Pose(seen.people, width, height))


def _found_pose(seen: Seen) -> Map:
    return _pose(replace(seen, people=pose.people_of(seen)))


def _file(file: NetworkFile) -> Find:
    return lambda networks, parts: (networks.find(file),)


def _folder(kind: depth.DepthKind) -> Find:
    return lambda networks, parts: (depth.find_weights(networks, kind),)


_FILTERS = (
    Preprocessor(NONE, "None", "The picture as it is, where it is a map already.", lambda seen: seen.pixels),
    Preprocessor("invert", "Invert", "White lines on black of a drawing on white.", lambda seen: tones.inverted(seen.pixels), kind="canny"),
    Preprocessor(
        "canny",
        "Canny",
        "Thin lines where colours change sharply.",
        lambda seen: edges.canny(seen.pixels, seen.settings["threshold_a"], seen.settings["threshold_b"]),
        (Setting("threshold_a", "Low threshold", 0.4, 0, 1, 0.01), Setting("threshold_b", "High threshold", 0.8, 0, 1, 0.01)),
        kind="canny",
    ),
    Preprocessor("softedge", "Soft edge", "Soft outlines, by filters.", lambda seen: edges.soft_edges(seen.pixels), kind="softedge"),
    Preprocessor(
        "lineart",
        "Line art",
        "Dark strokes of the picture, by a filter.",
        lambda seen: edges.line_art(seen.pixels, seen.settings["threshold_a"], seen.settings["threshold_b"]),
        (Setting("threshold_a", "Width", 6.0, 0.1, 32, 0.1, "px"), Setting("threshold_b", "Faintest", 8.0, 0, 16, 1)),
        kind="canny",
    ),
    Preprocessor(
        "scribble",
        "Scribble",
        "Broad strokes where the picture is darker than around.",
        lambda seen: edges.scribble(seen.pixels, seen.settings["threshold_a"]),
        (Setting("threshold_a", "Threshold", 32, 1, 64, 1),),
        kind="softedge",
    ),
    Preprocessor(
        "threshold",
        "Threshold",
        "Light places white, dark ones black.",
        lambda seen: edges.threshold(seen.pixels, seen.settings["threshold_a"]),
        (Setting("threshold_a", "Level", 127, 0, 255, 1),),
    ),
    Preprocessor(
        "shuffle",
        "Shuffle",
        "Colours and textures of the picture, its shapes swirled away.",
        lambda seen: tones.shuffled(seen.pixels, seen.seed),
        is_seeded=True,
    ),
    Preprocessor(
        "recolor_luminance",
        "Recolour, luminance",
        "The picture without colour, as light as eyes judge it.",
        lambda seen: tones.luminance(seen.pixels, seen.settings["threshold_a"]),
        (_GAMMA,),
    ),
    Preprocessor(
        "recolor_intensity",
        "Recolour, intensity",
        "The picture without colour, as light as its strongest channel.",
        lambda seen: tones.intensity(seen.pixels, seen.settings["threshold_a"]),
        (_GAMMA,),
    ),
    Preprocessor(
        "tile",
        "Tile",
        "The picture with less detail, which a tile model paints anew.",
        lambda seen: tones.coarse(seen.pixels, seen.settings["threshold_a"]),
        (Setting("threshold_a", "Coarser by", 1.0, 1, 8, 0.1),),
        kind="tile",
    ),
    Preprocessor(
        "blur",
        "Blur",
        "The picture, blurred.",
        lambda seen: tones.soft(seen.pixels, seen.settings["threshold_a"]),
        (Setting("threshold_a", "Sigma", 9.0, 0.1, 64, 0.1, "px"),),
        kind="tile",
    ),
    Preprocessor(
        "color_grid",
        "Colour grid",
        "One colour for each cell of the picture.",
        lambda seen: tones.colour_grid(seen.pixels, seen.settings["threshold_a"]),
        (Setting("threshold_a", "Cell", 64, 8, 256, 8, "px"),),
    ),
    Preprocessor("inpaint", "Inpaint", "The picture, and what of it is to be painted anew.", _hidden, kind="inpaint", reads="mask"),
    Preprocessor(
        "depth_map",
        "Depth map",
        "A depth map that is there already, its nearest white.",
        lambda seen: surfaces.as_bytes(surfaces.given_depth(seen.pixels)),
        kind="depth",
    ),
    Preprocessor(
        "depth_map_inverted",
        "Depth map, inverted",
        "A depth map that is there already and has its nearest black.",
        lambda seen: surfaces.as_bytes(1 - surfaces.given_depth(seen.pixels)),
        kind="depth",
    ),
    Preprocessor(
        "normal_map",
        "Normals of a depth map",
        "Directions of surfaces as colours, of a depth map with its nearest white.",
        lambda seen: surfaces.normals(surfaces.given_depth(seen.pixels), seen.settings["threshold_a"]),
        (Setting("threshold_a", "Background", 0.4, 0, 1, 0.01),),
        kind="normal",
    ),
    Preprocessor("pose", "Pose of keypoints", "A skeleton of joints given as OpenPose's JSON.", _pose, kind="pose", reads="pose", parts=True),
)

_FOUND_LIKELY = Setting("threshold_a", "Likelihood", 0.1, 0.01, 2, 0.01)
_FOUND_LENGTH = Setting("threshold_b", "Length", 0.1, 0.01, 20, 0.01)

# Those that are networks, by files of their own; what they need is imported with them.
_NETWORKS = (
    Preprocessor(
        "softedge_hed", "Soft edge, HED", "Soft outlines of what matters.", hed.soft_edges, kind="softedge", files=(hed.FILE.name,), find=_file(hed.FILE)
    ),
    Preprocessor(
        "softedge_pidinet",
        "Soft edge, PiDiNet",
        "Soft outlines of what matters, thinner.",
        pidinet.soft_edges,
        kind="softedge",
        files=(pidinet.FILE.name,),
        find=_file(pidinet.FILE),
    ),
    Preprocessor(
        "scribble_hed", "Scribble, HED", "Broad strokes along what matters.", hed.scribble, kind="softedge", files=(hed.FILE.name,), find=_file(hed.FILE)
    ),
    Preprocessor(
        "lineart_realistic",
        "Line art, realistic",
        "Lines as a person would draw them.",
        line_art.line_art,
        kind="canny",
        files=(line_art.FILE.name,),
        find=_file(line_art.FILE),
    ),
    Preprocessor(
        "lineart_coarse",
        "Line art, coarse",
        "Few lines, as a person would draw them quickly.",
        lambda seen: line_art.line_art(seen, line_art.COARSE_FILE),
        kind="canny",
        files=(line_art.COARSE_FILE.name,),
        find=_file(line_art.COARSE_FILE),
    ),
    Preprocessor(
        "lineart_anime",
        "Line art, anime",
        "Lines of a coloured drawing.",
        line_art.anime_line_art,
        kind="canny",
        files=(line_art.ANIME_FILE.name,),
        find=_file(line_art.ANIME_FILE),
    ),
    Preprocessor(
        "mlsd",
        "M-LSD",
        "Straight lines, of rooms and buildings.",
        lambda seen: straight_lines.straight_lines(seen, seen.settings["threshold_a"], seen.settings["threshold_b"]),
        (_FOUND_LIKELY, _FOUND_LENGTH),
        kind="canny",
        files=(straight_lines.FILE.name,),
        find=_file(straight_lines.FILE),
    ),
    Preprocessor(
        "openpose",
        "Pose",
        "The people of the picture as skeletons.",
        _found_pose,
        kind="pose",
        parts=True,
        files=(pose.BODY_FILE.name, pose.HAND_FILE.name, pose.FACE_FILE.name),
        find=pose.find_files,
    ),
    Preprocessor(
        "depth_dpt",
        "Depth, DPT",
        "How near everything is, by MiDaS.",
        lambda seen: surfaces.as_bytes(depth.depth_of(seen, depth.DPT)),
        kind="depth",
        files=(depth.DPT.example,),
        find=_folder(depth.DPT),
    ),
    Preprocessor(
        "depth_anything",
        "Depth Anything",
        "How near everything is, by Depth Anything.",
        lambda seen: surfaces.as_bytes(depth.depth_of(seen, depth.DEPTH_ANYTHING)),
        kind="depth",
        files=(depth.DEPTH_ANYTHING.example,),
        find=_folder(depth.DEPTH_ANYTHING),
    ),
    Preprocessor(
        "normal_dpt",
        "Normals, DPT",
        "Directions of surfaces as colours, of the depth by MiDaS.",
        lambda seen: surfaces.normals(depth.depth_of(seen, depth.DPT), seen.settings["threshold_a"]),
        (Setting("threshold_a", "Background", 0.4, 0, 1, 0.01),),
        kind="normal",
        files=(depth.DPT.example,),
        find=_folder(depth.DPT),
    ),
)

PREPROCESSORS: Mapping[str, Preprocessor] = MappingProxyType({row.name: row for row in (*_FILTERS, *_NETWORKS)})
