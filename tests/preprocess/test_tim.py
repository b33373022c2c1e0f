import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elrcn.errors import ElrcnError
from elrcn.preprocess.tim import frames_needed, interpolate, tim_matrix


def svd_tim(frames, length):
    """TIM as Zhou et al. wrote it: centre, SVD, extend the eigenvectors of the path graph."""
    pixels = frames.reshape(len(frames), -1).T.astype(float)
    n = pixels.shape[1]
    mean = pixels.mean(1, keepdims=True)
    u, s, vt = np.linalg.svd(pixels - mean, full_matrices=False)
    u, q = u[:, : n - 1], s[: n - 1, None] * vt[: n - 1]
    adjacency = np.diag(np.ones(n - 1), 1)
    adjacency += adjacency.T
    laplacian = np.diag(adjacency.sum(1)) - adjacency
    _, vectors = np.linalg.eigh(laplacian)
    vectors = vectors[:, 1:]
    w = q @ vectors
    k = np.arange(1, n)
    # Extended eigenvector k at position x, with the sign and norm of the computed one.
    grid = np.cos(np.outer(np.arange(n) + 0.5, k) * np.pi / n)
    factor = (vectors * grid).sum(0) / (grid * grid).sum(0)
    x = np.linspace(0, n - 1, length)
    extended = np.cos(np.outer(x + 0.5, k) * np.pi / n) * factor
    coefficients = w @ extended.T
    return (u @ coefficients + mean).T.reshape(length, *frames.shape[1:])


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 150), st.integers(1, 40))
def test_columns_sum_to_one_and_endpoints_are_exact(n, length):
    weights = tim_matrix(n, length)
    assert weights.shape == (n, length)
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-11)
    assert (weights[:, 0] == np.eye(n)[0]).all()
    if length > 1:
        assert (weights[:, -1] == np.eye(n)[-1]).all()


@pytest.mark.parametrize("n", [2, 3, 10, 61])
def test_as_many_frames_as_there_are_is_the_identity(n):
    assert (tim_matrix(n, n) == np.eye(n)).all()
    frames = np.random.default_rng(n).integers(0, 256, (n, 7, 5), np.uint8)
    assert (interpolate(frames, n) == frames).all()


@pytest.mark.parametrize("n, length", [(5, 10), (24, 10), (61, 10), (20, 6), (12, 20)])
def test_equals_the_svd_program(n, length):
    frames = np.random.default_rng(n).integers(0, 256, (n, 20, 20), np.uint8)
    expected = svd_tim(frames, length)
    np.testing.assert_allclose(interpolate(frames, length), expected, atol=2e-3)


def test_works_on_duplicate_frames():
    frame = np.random.default_rng(0).integers(0, 256, (9, 11), np.uint8)
    out = interpolate(np.stack([frame] * 30), 10)
    np.testing.assert_allclose(out, np.stack([frame] * 10), atol=1e-3)


def test_a_step_overshoots_so_that_8_bits_need_clipping():
    step = np.zeros((40, 1, 1), np.uint8)
    step[20:] = 255
    out = interpolate(step, 200)
    assert -40 < out.min() < -30 and 285 < out.max() < 295


def test_a_pixel_does_not_depend_on_its_neighbours():
    frames = np.random.default_rng(1).normal(100, 30, (33, 40, 41))
    whole = interpolate(frames, 10)
    assert (interpolate(frames[:, 7:9, 3:30], 10) == whole[:, 7:9, 3:30]).all()
    np.testing.assert_allclose(
        whole, np.einsum("nhw,nt->thw", frames, tim_matrix(33, 10)), atol=1e-4
    )


def test_frames_needed():
    assert list(frames_needed(28, 10)) == list(range(0, 28, 3))
    assert len(frames_needed(29, 10)) == 29


@pytest.mark.parametrize("n, length", [(0, 10), (1, 10), (1, 1), (5, 0), (5, -1)])
def test_refuses_what_cannot_be_interpolated(n, length):
    with pytest.raises(ElrcnError):
        tim_matrix(n, length)
    with pytest.raises(ElrcnError):
        interpolate(np.zeros((n, 4, 4), np.uint8), length)


def test_refuses_a_single_image():
    with pytest.raises(ElrcnError, match="shape"):
        interpolate(np.zeros((4, 4), np.uint8), 3)
