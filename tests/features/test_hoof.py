from math import atan2, hypot, pi

import numpy as np
import pytest

from elrcn.errors import ElrcnError
from elrcn.features.hoof import HOOF, hoof_svm, orientation_bins


def flow_of(vectors):
    """One frame, a row of pixels: (1, 2, 1, n) from (p, q) pairs."""
    return np.array(vectors, dtype=float).T[None, :, None, :]


def test_four_bins_by_hand():
    # Down, down-right, right, up-right, up and their mirror images; image rows grow downwards.
    p = np.array([0, 1, 1, 1, 0, -1, -1, -1.0])
    q = np.array([1, 1, 0, -1, -1, -1, 0, 1.0])
    assert list(orientation_bins(p, q, 4)) == [0, 1, 2, 3, 3, 3, 2, 1]
    # Whole circle in quarters from the left: lower left, lower right, upper right, upper left.
    inside_p, inside_q = np.array([-2, 1, 2, -1.0]), np.array([1, 2, -1, -2.0])
    assert list(orientation_bins(inside_p, inside_q, 4, symmetric=False)) == [0, 1, 2, 3]
    assert list(orientation_bins(np.array([-1.0, -1.0]), np.array([0.0, -0.0]), 4, False)) == [0, 0]


def test_histogram_by_hand():
    clip = flow_of([(3, 4), (-3, 4), (1, 0), (0, -9), (0, 0)])
    # Lengths 5, 5, 1, 9; angles below, below, 0, straight up: bins 0, 0, 1, 1 of two.
    np.testing.assert_allclose(HOOF(bins=2).describe(clip), [10 / 20, 10 / 20])
    np.testing.assert_allclose(HOOF(bins=2, min_magnitude=2).describe(clip), [10 / 19, 9 / 19])


@pytest.mark.parametrize("bins", [1, 2, 7, 8, 30, 64])
def test_vectors_along_the_axes_are_stable(bins):
    for scale in (1e-7, 0.3, 1.0, 1e5):
        right = orientation_bins(np.array([scale, -scale]), np.zeros(2), bins)
        assert list(right) == [bins // 2] * 2
        up_down = orientation_bins(np.zeros(2), np.array([-scale, scale]), bins)
        assert list(up_down) == [bins - 1, 0]


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("blocks", [(1, 1), (2, 3)])
def test_equals_the_slow_definition(symmetric, blocks):
    clip = np.random.default_rng(0).normal(size=(3, 5, 9, 10))
    bins = 8
    expected = np.zeros((3, blocks[0], blocks[1], bins))
    for t in range(3):
        for y in range(9):
            for x in range(10):
                p, q = clip[t, :2, y, x]
                if symmetric:
                    angle, low, width = atan2(-q, abs(p)), -pi / 2, pi / bins
                else:
                    angle, low, width = atan2(-q, p), -pi, 2 * pi / bins
                b = int((angle - low) // width)
                row = sum(y >= int(i * 9 / blocks[0] + 0.5) for i in range(1, blocks[0]))
                column = sum(x >= int(i * 10 / blocks[1] + 0.5) for i in range(1, blocks[1]))
                expected[t, row, column, b] += hypot(p, q)
    expected /= expected.sum(axis=-1, keepdims=True)
    options = {"bins": bins, "blocks": blocks, "symmetric": symmetric}
    np.testing.assert_allclose(HOOF(**options).describe(clip), expected.ravel())
    mean = HOOF(pool="mean", **options).describe(clip)
    np.testing.assert_allclose(mean, expected.mean(axis=0).ravel())


def test_neither_scale_nor_side_matters():
    clip = np.random.default_rng(1).normal(size=(2, 5, 8, 8))
    features = HOOF().describe(clip)
    assert features.shape == (60,)
    np.testing.assert_allclose(HOOF().describe(clip * 7), features)
    mirrored = clip[:, :, :, ::-1].copy()
    mirrored[:, 0] *= -1
    np.testing.assert_allclose(HOOF().describe(mirrored), features)
    assert not np.allclose(
        HOOF(symmetric=False).describe(mirrored), HOOF(symmetric=False).describe(clip)
    )
    assert not HOOF().describe(np.zeros((2, 5, 8, 8))).any()


def test_pipeline_and_refusals():
    up, side = np.zeros((2, 4, 5, 6, 6))
    up[:, 1], side[:, 0] = -1, 1
    clips = np.stack([up, side] * 4) + np.random.default_rng(2).normal(size=(8, 4, 5, 6, 6)) * 0.1
    labels = ["up", "side"] * 4
    model = hoof_svm(bins=8).fit(clips[:4], labels[:4])
    assert list(model.predict(clips[4:])) == labels[4:]
    with pytest.raises(ElrcnError, match="channel"):
        HOOF().transform(clips[:, :, :1])
    with pytest.raises(ElrcnError, match="pool"):
        HOOF(pool="max").describe(clips[0])
    with pytest.raises(ElrcnError, match="divided"):
        HOOF(blocks=(7, 1)).describe(clips[0])
