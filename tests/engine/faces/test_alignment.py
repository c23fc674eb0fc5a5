"""Faces brought upright and back: the map, and that nothing is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from sfumato.engine.faces.alignment import SIDE_PX, TEMPLATE, Similarity, aligned, laid_back


def smooth(width: int, height: int, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(6)), np.float32)
    return Image.fromarray(((soft - soft.min()) / (soft.max() - soft.min()) * 255).astype(np.uint8))


def face_at(x: float, y: float, size: float, degrees: float) -> np.ndarray:
    """The landmarks of a face of `size` pixels around a place, turned."""
    turn = size / SIDE_PX * np.exp(1j * np.radians(degrees))
    points = turn * ((TEMPLATE[:, 0] - 256) + 1j * (TEMPLATE[:, 1] - 256)) + complex(x, y)
    return np.stack([points.real, points.imag], axis=1)


@pytest.mark.rule("E79")
@given(
    x=st.floats(-100, 900), y=st.floats(-100, 900), size=st.floats(20, 2000), degrees=st.floats(-180, 180),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_any_turned_shifted_and_scaled_face_is_brought_to_the_template(x: float, y: float, size: float, degrees: float) -> None:
    landmarks = face_at(x, y, size, degrees)
    found = Similarity.between(landmarks, TEMPLATE)
    assert np.allclose(found(landmarks), TEMPLATE, atol=1e-6)
    assert np.allclose(found.inverse(TEMPLATE), landmarks, atol=1e-6)
    assert abs(found.turn) == pytest.approx(SIDE_PX / size)


def test_landmarks_that_are_no_turned_template_are_met_as_nearly_as_can_be() -> None:
    landmarks = face_at(200, 200, 300, 10) + np.random.default_rng(0).normal(0, 5, (5, 2))
    found = Similarity.between(landmarks, TEMPLATE)
    best = ((found(landmarks) - TEMPLATE) ** 2).sum()
    for other in (Similarity(found.turn * 1.01, found.shift), Similarity(found.turn, found.shift + 1), Similarity(found.turn * np.exp(0.01j), found.shift)):
        assert ((other(landmarks) - TEMPLATE) ** 2).sum() > best
    # All in one point, nothing is turned or divided by nought
    assert np.isfinite(Similarity.between(np.zeros((5, 2)), TEMPLATE)(TEMPLATE)).all()


@pytest.mark.rule("E79")
@pytest.mark.parametrize(("size", "degrees"), [(150, 0), (200, 30), (512, -75), (900, 180), (1100, 12)])
def test_what_is_at_the_landmarks_is_at_the_template_afterwards(size: float, degrees: float) -> None:
    landmarks = face_at(500, 400, size, degrees)
    rows, columns = np.mgrid[:800, :1000]
    spots = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (size / 60) ** 2)) for x, y in landmarks)
    picture = Image.fromarray((spots * 250).round().astype(np.uint8)).convert("RGB")
    face = np.asarray(aligned(picture, landmarks)[0].convert("L"), np.float64)
    for x, y in TEMPLATE:
        window = face[int(y) - 25 : int(y) + 26, int(x) - 25 : int(x) + 26]
        rows, columns = np.mgrid[int(y) - 25 : int(y) + 26, int(x) - 25 : int(x) + 26]
        assert (window * columns).sum() / window.sum() == pytest.approx(x, abs=0.1)
        assert (window * rows).sum() / window.sum() == pytest.approx(y, abs=0.1)


@pytest.mark.rule("E79")
@pytest.mark.parametrize(
    ("x", "y", "size", "degrees"), [(150, 120, 150, 0), (150, 120, 220, 25), (160, 100, 380, -60), (20, 30, 200, 10), (290, 230, 400, 140)]
)
def test_a_face_that_nothing_was_done_to_leaves_the_picture_as_it_was(x: float, y: float, size: float, degrees: float) -> None:
    picture = smooth(300, 240)
    face, similarity = aligned(picture, face_at(x, y, size, degrees))
    assert face.size == (SIDE_PX, SIDE_PX)
    back = laid_back(picture, face, similarity)
    apart = np.abs(np.asarray(back).astype(int) - np.asarray(picture))
    assert apart.max() <= 3
    assert apart.mean() < 0.4
    # and no darker or brighter
    assert abs(np.asarray(back).mean() - np.asarray(picture).mean()) < 0.05


@pytest.mark.rule("E79")
def test_what_is_laid_back_fades_at_its_edges_and_touches_nothing_else() -> None:
    picture = smooth(400, 400)
    _, similarity = aligned(picture, face_at(200, 200, 200, 0))
    done = np.asarray(laid_back(picture, Image.new("RGB", (SIDE_PX, SIDE_PX), (255, 0, 0)), similarity)).astype(int)
    before = np.asarray(picture).astype(int)
    # In its middle it is all that is seen, beyond it nothing changes, and between it grows step by step
    assert (done[150:250, 150:250] == (255, 0, 0)).all()
    outside = np.ones((400, 400), bool)
    outside[99:302, 99:302] = False
    assert np.array_equal(done[outside], before[outside])
    share = ((done - before) @ np.ones(3) / ((np.array([255, 0, 0]) - before) @ np.ones(3)))[200, 100:125]
    assert (np.diff(share) >= -0.02).all()
    assert np.abs(np.diff(share)).max() < 0.12
    # A face that is nowhere in the picture changes nothing
    _, far = aligned(picture, face_at(5000, 5000, 100, 0))
    assert laid_back(picture, Image.new("RGB", (SIDE_PX, SIDE_PX)), far) is picture
