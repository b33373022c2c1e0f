"""Histograms of oriented optical flow, a baseline of Table III.

Chaudhry, Ravichandran, Hager and Vidal 2009, "Histograms of oriented optical flow and Binet-Cauchy
kernels on nonlinear dynamical systems for the recognition of human actions", CVPR,
doi 10.1109/CVPR.2009.5206821.
"""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import Pipeline

from elrcn.errors import ElrcnError
from elrcn.features.base import ClipDescriptor, LinearSVM, block_index


def orientation_bins(p: np.ndarray, q: np.ndarray, bins: int, symmetric: bool = True) -> np.ndarray:
    """Bin of each flow vector by its direction, counted from straight down upwards.

    Parameters
    ----------
    p, q : numpy.ndarray
        Components to the right and downwards (image rows grow downwards), pixels per frame.
    bins : int
        B.
    symmetric : bool
        Bins divide the angle to the horizontal axis, ``atan2(-q, |p|)`` in [-pi/2, pi/2], as in
        the paper: a vector and its mirror image to the left share a bin. Otherwise they divide
        the whole circle, ``atan2(-q, p)``, from the left downwards around.

    Returns
    -------
    numpy.ndarray of int64, values 0..bins - 1, shape of `p`

    Notes
    -----
    Bin b holds the angles from its lower edge up to the next (excluded; the last includes straight
    up). An angle less than 1e-9 bins below an edge counts as on it, so that vectors along the axes
    do not change bins by rounding.
    """
    if symmetric:
        part = np.arctan2(-q, np.abs(p)) / np.pi + 0.5
    else:
        # Adding 0.0 turns -0.0 into 0.0: a vector to the left is at pi, then folded to -pi.
        part = (np.arctan2(-q + 0.0, p) / (2 * np.pi) + 0.5) % 1.0
    index = np.floor(part * bins + 1e-9).astype(np.int64)
    return np.minimum(index, bins - 1) if symmetric else index % bins


class HOOF(ClipDescriptor):
    """HOOF of flow stacks: magnitudes summed by direction, a histogram a frame and block.

    Chaudhry et al. compare the histograms' time series by kernels of dynamical systems; with the
    linear SVM of the other baselines the frames' histograms are concatenated or averaged instead.
    MEGC 2018's own parameters are not recorded: all are options.

    Parameters
    ----------
    bins : int
        Directions.
    blocks : tuple of int
        (rows, columns) into which the frame is divided.
    pool : {"concat", "mean"}
        Frames one after another, or their mean.
    symmetric : bool
        See `orientation_bins`.
    min_magnitude : float
        Shorter vectors (pixels per frame) do not count.
    progress : bool
        Show a bar over the clips.

    Notes
    -----
    Each histogram is divided by its sum (stays 0 without motion), so it does not depend on the
    scale of the flow. Features are ordered frame, block (row, column), bin.
    """

    channels = 2

    def __init__(
        self,
        bins: int = 30,
        blocks=(1, 1),
        pool: str = "concat",
        symmetric: bool = True,
        min_magnitude: float = 0.0,
        progress: bool = False,
    ):
        self.bins = bins
        self.blocks = blocks
        self.pool = pool
        self.symmetric = symmetric
        self.min_magnitude = min_magnitude
        self.progress = progress

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Histograms of one clip (T, channels, H, W), p and q in channels 0 and 1.

        Returns
        -------
        numpy.ndarray of float64, shape (T * blocks * bins,), or (blocks * bins,) for the mean

        Raises
        ------
        ElrcnError
            If a frame has fewer pixels than blocks, or an option has no meaning.
        """
        if self.bins < 1 or len(self.blocks) != 2 or self.pool not in ("concat", "mean"):
            raise ElrcnError(
                "HOOF takes at least one bin, two numbers of blocks, and concat or mean as pool."
            )
        p, q = (np.asarray(clip[:, k], dtype=np.float64) for k in (0, 1))
        frames, height, width = p.shape
        rows, columns = self.blocks
        row = block_index(height, rows, "rows")
        block = row[:, None] * columns + block_index(width, columns, "columns")
        magnitude = np.hypot(p, q)
        magnitude[magnitude < self.min_magnitude] = 0
        place = np.arange(frames)[:, None, None] * (rows * columns) + block
        index = place * self.bins + orientation_bins(p, q, self.bins, self.symmetric)
        size = frames * rows * columns * self.bins
        hist = np.bincount(index.ravel(), magnitude.ravel(), size)
        hist = hist.reshape(frames, rows * columns, self.bins)
        total = hist.sum(axis=2, keepdims=True)
        hist = hist / np.where(total > 0, total, 1)
        return hist.ravel() if self.pool == "concat" else hist.mean(axis=0).ravel()


def hoof_svm(C: float = 10000.0, **options) -> Pipeline:
    """`HOOF` with `options` and `LinearSVM` with penalty `C`: steps ``features`` and ``svm``."""
    return Pipeline([("features", HOOF(**options)), ("svm", LinearSVM(C=C))])
