"""Temporal interpolation: the closed form against the program it replaces."""

from __future__ import annotations

import numpy as np

from elrcn.preprocess.tim import frames_needed, interpolate

from .clips import moving_face
from .harness import Row, compare, interleave, use_threads

LENGTH = 10
TOLERANCE = 1e-2  # grey levels of 0..255: float32 against float64
ON_FRAMES = "every sample falls on a frame, so TIM picks frames"


def interpolate_svd(frames: np.ndarray, length: int) -> np.ndarray:
    """TIM as its usual program computes it, in double precision.

    Centre the frames, take their singular vectors, find the linear extension of the path graph's
    embedding (Zhou, Zhao and Pietikainen, CVPR 2011), and map points of its curve back to pixels.
    Fails where frames are linearly dependent.

    Parameters
    ----------
    frames : ndarray, shape (n, H, W)
    length : int

    Returns
    -------
    ndarray, shape (length, H, W), float64
    """
    n = len(frames)
    pixels = frames.reshape(n, -1).T.astype(np.float64)
    mean = pixels.mean(axis=1, keepdims=True)
    left, sizes, right = np.linalg.svd(pixels - mean, full_matrices=False)
    # The centred frames have rank n - 1.
    left, coordinates = left[:, : n - 1], sizes[: n - 1, None] * right[: n - 1]
    laplacian = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    laplacian[0, 0] = laplacian[-1, -1] = 1
    _, embedding = np.linalg.eigh(laplacian)
    embedding = embedding[:, 1:]
    gram = coordinates @ coordinates.T
    extension = np.linalg.solve(gram, coordinates @ embedding)
    k = np.arange(1, n)
    # The curve of component k is m_k sin(pi k x + pi (n - k) / (2 n)), met by frame i at x = i / n.
    phase = np.pi * (n - k) / (2 * n)
    scale = (coordinates[:, 0] @ extension) / np.sin(np.pi * k / n + phase)
    at = np.linspace(1 / n, 1, length)
    curve = scale[:, None] * np.sin(np.pi * np.outer(k, at) + phase[:, None])
    out = left @ np.linalg.solve(extension.T, curve) + mean
    return out.T.reshape(length, *frames.shape[1:])


def measure(quick: bool) -> list[Row]:
    """Rows of this stage."""
    side = 32 if quick else 224
    rows = []
    yardstick, ours = "SVD program (numpy)", "elrcn, closed form"
    for n in (20,) if quick else (20, 60, 100):
        frames = moving_face(n, side, side)
        runs = {
            yardstick: lambda frames=frames: interpolate_svd(frames, LENGTH),
            ours: lambda frames=frames: interpolate(frames, LENGTH),
        }
        # Where T - 1 divides n - 1, TIM picks frames: cheaper than any other n.
        direct = len(frames_needed(n, LENGTH)) < n
        apart = float(np.abs(runs[ours]() - runs[yardstick]()).max())
        with use_threads(1):
            seconds = interleave(runs, 2 if quick else 11, repeats={ours: 5})
        rows += compare(
            "tim",
            f"clip of {n} frames, {side} x {side}, to {LENGTH}",
            seconds,
            yardstick,
            threads=1,
            goals={ours: 25},
            agreement={ours: (apart, TOLERANCE)},
            notes={ours: "apart in grey levels of 0..255" + ("; " + ON_FRAMES) * direct},
        )
    return rows
