"""Temporal interpolation (TIM) in closed form: any number of frames to any number."""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np

from elrcn.errors import ElrcnError
from elrcn.preprocess.tvl1 import Disjoint

_BLOCK = 512  # pixels at a time: T x 512 float32 sums stay in the first-level cache
_B0, _B1, _B2, _B3 = (np.uintp(k) for k in range(4))


@lru_cache(maxsize=256)
def tim_matrix(n: int, length: int) -> np.ndarray:
    """Weights that turn `n` frames into `length` frames, ``Y = X @ A``.

    The Temporal Interpolation Model embeds the path graph of the frames in a curve and samples
    it. When the centred frames have rank n - 1 the pixels cancel and one matrix of cosines is
    left::

        A[i, t] = 1/n + 2/n sum_k cos(k pi (i - 1/2) / n) cos(k pi (x_t - 1/2) / n),  k = 1..n-1
        x_t = 1 + (n - 1) linspace(0, 1, T)[t],                                       i = 1..n

    Its columns sum to one. A sample that falls on a frame is that frame exactly, so both ends
    are kept and ``length == n`` is the identity. Between frames every frame has a weight, also a
    negative one: a step overshoots.

    Parameters
    ----------
    n : int
        Frames at hand, at least 2.
    length : int
        T, frames wanted, at least 1 (1 gives the first frame).

    Returns
    -------
    ndarray, shape (n, length), float64, read-only

    Raises
    ------
    ElrcnError
        If there are fewer frames, or fewer are wanted.

    References
    ----------
    Zhou, Zhao and Pietikainen, "Towards a practical lipreading system", CVPR 2011,
    doi:10.1109/CVPR.2011.5995345.
    """
    if n < 2:
        raise ElrcnError(
            f"A clip needs at least two frames to be interpolated in time; this one has {n}.",
            fix="check the clip's onset and offset, or leave it out",
        )
    if length < 1:
        raise ElrcnError(
            f"The Temporal Interpolation Model cannot give {length} frames.",
            fix="ask for a tim_length of at least 1",
        )
    k = np.arange(1, n)
    frames = np.arange(1, n + 1)
    samples = 1 + np.linspace(0, 1, length) * (n - 1)
    rows = np.cos(np.pi / n * np.outer(frames - 0.5, k))
    columns = np.cos(np.pi / n * np.outer(k, samples - 0.5))
    weights = 1 / n + 2 / n * (rows @ columns)
    # On a frame the sum is a unit vector but for rounding: say so exactly.
    on_frame = np.flatnonzero(np.abs(samples - np.rint(samples)) < 1e-9)
    weights[:, on_frame] = 0
    weights[np.rint(samples[on_frame]).astype(int) - 1, on_frame] = 1
    weights.flags.writeable = False
    return weights


def frames_needed(n: int, length: int) -> np.ndarray:
    """Return the indices of the frames with any weight in ``tim_matrix(n, length)``.

    Fewer than `n` only where every sample falls on a frame, that is where ``length - 1`` divides
    ``n - 1``; elsewhere TIM reads all frames.
    """
    return np.flatnonzero(tim_matrix(n, length).any(axis=1))


_OPTIONS = dict(cache=True, nogil=True)
_compiled = numba.njit(**_OPTIONS)
_disjoint = numba.njit(**_OPTIONS, pipeline_class=Disjoint)


@_disjoint
def _load(frames, i, start, size, blocks, k):
    """Pixels of frame `i` from `start` as floats, into block `k`."""
    frame, first, block = np.uintp(i), np.uintp(start), np.uintp(k)
    for j in range(size):
        blocks[block, np.uintp(j)] = frames[frame, first + np.uintp(j)]


@_disjoint
def _add_four(sums, t, blocks, w0, w1, w2, w3, size):
    """Add four weighed frames to a sum: one after another, but the sum is fetched once."""
    row = np.uintp(t)
    for x in range(size):
        j = np.uintp(x)
        total = sums[row, j] + w0 * blocks[_B0, j]
        total = total + w1 * blocks[_B1, j]
        total = total + w2 * blocks[_B2, j]
        sums[row, j] = total + w3 * blocks[_B3, j]


@_disjoint
def _store(sums, t, out, start, size):
    row, first = np.uintp(t), np.uintp(start)
    for j in range(size):
        out[row, first + np.uintp(j)] = sums[row, np.uintp(j)]


@_compiled
def _combine(frames, weights, out):
    """out[t] = sum_i weights[i, t] frames[i]: a block of pixels and four frames at a time.

    `weights` has rows of zeros after the last frame's, to a multiple of four.
    """
    n, pixels = frames.shape
    length = weights.shape[1]
    sums = np.empty((length, _BLOCK), np.float32)
    blocks = np.zeros((4, _BLOCK), np.float32)
    for start in range(0, pixels, _BLOCK):
        size = min(_BLOCK, pixels - start)
        sums[:] = 0
        for i in range(0, n, 4):
            for k in range(min(4, n - i)):
                _load(frames, i + k, start, size, blocks, k)
            for t in range(length):
                w0, w1 = weights[i, t], weights[i + 1, t]
                w2, w3 = weights[i + 2, t], weights[i + 3, t]
                if w0 != 0 or w1 != 0 or w2 != 0 or w3 != 0:
                    _add_four(sums, t, blocks, w0, w1, w2, w3, size)
        for t in range(length):
            _store(sums, t, out, start, size)


def interpolate(frames: np.ndarray, length: int) -> np.ndarray:
    """Resample a clip to `length` frames by TIM (see `tim_matrix`).

    Parameters
    ----------
    frames : array_like, shape (n, H, W)
        Grey frames, any range, in order of time.
    length : int
        T, frames wanted.

    Returns
    -------
    ndarray, shape (length, H, W), float32
        Same unit as `frames`. Overshoots the range of `frames` at sudden changes: clip it before
        making integers of it.

    Raises
    ------
    ElrcnError
        If there are fewer than two frames, or `frames` is not three-dimensional.
    """
    frames = np.asarray(frames)
    if frames.ndim != 3:
        raise ElrcnError(
            f"TIM needs frames of shape (n, H, W), not {frames.shape}.",
            fix="pass one clip of grey frames",
        )
    if frames.dtype not in (np.uint8, np.float32):
        frames = frames.astype(np.float32)
    n, height, width = frames.shape
    weights = np.pad(tim_matrix(n, length).astype(np.float32), ((0, -n % 4), (0, 0)))
    out = np.empty((length, height * width), np.float32)
    _combine(np.ascontiguousarray(frames).reshape(n, -1), weights, out)
    return out.reshape(length, height, width)
