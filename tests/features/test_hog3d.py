from itertools import product
from math import floor, sqrt

import numpy as np
import pytest

from elrcn.errors import ElrcnError
from elrcn.features.hog3d import HOG3D, face_directions, hog3d_svm, neighbour_threshold, quantise


def ramp(gx, gy, gt, shape=(9, 12, 12)):
    t, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")
    return (gx * x + gy * y + gt * t)[:, None]


@pytest.mark.parametrize(
    ("polyhedron", "count", "cosine"),
    [("icosahedron", 20, sqrt(5) / 3), ("dodecahedron", 12, 1 / sqrt(5))],
)
def test_directions_are_regular(polyhedron, count, cosine):
    directions = face_directions(polyhedron)
    assert directions.shape == (count, 3)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(directions.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3) * count / 3, atol=1e-12)
    assert neighbour_threshold(directions) == pytest.approx(cosine)
    near = (np.abs(directions @ directions.T - cosine) < 1e-9).sum(axis=1)
    assert set(near) == {3 if count == 20 else 5}  # triangles have 3 neighbours, pentagons 5
    half = face_directions(polyhedron, True)
    assert len(half) == count // 2
    assert (np.abs(half @ half.T) - np.eye(len(half))).max() < 1 - 1e-9  # no two opposite
    assert neighbour_threshold(face_directions("icosahedron")) * sqrt(3) == pytest.approx(
        1.29107, abs=1e-4
    )


def test_a_gradient_along_a_direction_goes_there_alone():
    directions = face_directions()
    shares = quantise(directions * 7.0, directions, neighbour_threshold(directions))
    np.testing.assert_allclose(shares, 7 * np.eye(20), atol=1e-9)


def test_a_gradient_through_a_corner_is_shared_by_its_five_faces():
    golden = (1 + sqrt(5)) / 2
    corner = np.array([0.0, golden, 1.0])
    shares = quantise(corner, face_directions(), neighbour_threshold(face_directions()))
    assert (shares > 0).sum() == 5
    np.testing.assert_allclose(shares[shares > 0], np.linalg.norm(corner) / sqrt(5))


@pytest.mark.parametrize("half", [False, True])
def test_lengths_are_kept_in_every_direction(half):
    g = np.random.default_rng(0).normal(size=(200, 3))
    threshold = neighbour_threshold(face_directions())
    shares = quantise(g, face_directions("icosahedron", half), threshold, half)
    np.testing.assert_allclose(np.linalg.norm(shares, axis=1), np.linalg.norm(g, axis=1))
    opposite = quantise(-g, face_directions("icosahedron", half), threshold, half)
    assert np.allclose(shares, opposite) == half
    assert not quantise(np.zeros((1, 3)), face_directions(), threshold).any()


def test_a_ramp_by_hand():
    # Gradient (1, 1, 1) everywhere is a direction of the icosahedron: every cell has one bin.
    features = HOG3D(cells=(2, 2, 3), subblocks=2, cutoff=None).describe(ramp(1, 1, 1))
    features = features.reshape(12, 20)
    bin_ = np.argmax(face_directions() @ [1, 1, 1])
    np.testing.assert_allclose(features[:, bin_], 1 / sqrt(12))
    assert (np.delete(features, bin_, axis=1) < 1e-9).all()


def slow_hog3d(volume, blocks, cells, s, directions, threshold, half, cutoff):
    """HOG-3D by loops over boxes, cells and blocks."""
    gt, gy, gx = np.gradient(volume.astype(float))
    frames, height, width = volume.shape

    def box(i, number, length):
        return slice(floor(i * length / number + 0.5), floor((i + 1) * length / number + 0.5))

    parts = []
    for br, bc in product(range(blocks[0]), range(blocks[1])):
        values = []
        for cy, cx, ct in product(range(cells[0]), range(cells[1]), range(cells[2])):
            cell = np.zeros(len(directions))
            for a, b, c in product(range(s), repeat=3):
                place = (
                    box(ct * s + a, cells[2] * s, frames),
                    box((br * cells[0] + cy) * s + b, blocks[0] * cells[0] * s, height),
                    box((bc * cells[1] + cx) * s + c, blocks[1] * cells[1] * s, width),
                )
                g = np.array([gx[place].mean(), gy[place].mean(), gt[place].mean()])
                size = sqrt((g**2).sum())
                q = [float(d @ g) / size for d in directions]
                q = [max((abs(v) if half else v) - threshold, 0) for v in q]
                cell += size * np.array(q) / sqrt(sum(v * v for v in q))
            values.extend(cell)
        values = np.array(values) / sqrt(sum(v * v for v in values))
        values = np.minimum(values, cutoff)
        parts.extend(values / sqrt((values**2).sum()))
    return np.array(parts)


@pytest.mark.parametrize("polyhedron", ["icosahedron", "dodecahedron"])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("blocks", [(1, 1), (2, 3)])
def test_equals_the_slow_definition(polyhedron, half, blocks):
    volume = np.random.default_rng(1).integers(0, 256, (5, 14, 19))
    options = {"blocks": blocks, "cells": (2, 1, 2), "subblocks": 2, "cutoff": 0.25}
    fast = HOG3D(polyhedron=polyhedron, half=half, **options).describe(volume[:, None])
    threshold = neighbour_threshold(face_directions(polyhedron))
    slow = slow_hog3d(
        volume, blocks, (2, 1, 2), 2, face_directions(polyhedron, half), threshold, half, 0.25
    )
    np.testing.assert_allclose(fast, slow, atol=1e-12)


def test_length_one_and_light_does_not_matter():
    volume = np.random.default_rng(2).random((10, 1, 24, 24)) * 100
    features = HOG3D().describe(volume)
    assert features.shape == (960,)
    assert np.linalg.norm(features) == pytest.approx(1)
    np.testing.assert_allclose(HOG3D().describe(volume * 2 + 30), features, atol=1e-12)
    assert not HOG3D().describe(np.full((10, 1, 24, 24), 9)).any()


def test_pipeline_and_refusals():
    clips = np.stack([ramp(1, 0, k % 2 * 3.0) for k in range(8)])
    labels = ["slow", "fast"] * 4
    model = hog3d_svm(cells=(2, 2, 2), subblocks=2).fit(clips[:4], labels[:4])
    assert list(model.predict(clips[4:])) == labels[4:]
    with pytest.raises(ElrcnError, match="frames cannot be divided"):
        HOG3D().describe(ramp(1, 0, 0, (6, 24, 24)))
    with pytest.raises(ElrcnError, match="polyhedron"):
        HOG3D(polyhedron="cube").describe(clips[0])
    with pytest.raises(ElrcnError, match="cutoff"):
        HOG3D(cutoff=0).describe(clips[0])
