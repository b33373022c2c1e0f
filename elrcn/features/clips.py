"""What the handcrafted descriptors share: clips in, one feature vector a clip out."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm import tqdm

from elrcn.errors import ElrcnError


class ClipDescriptor(TransformerMixin, BaseEstimator):
    """A descriptor of single clips as a scikit-learn transformer without anything to learn.

    A clip's features depend on that clip alone. So features of all clips may be computed once and
    divided into folds afterwards: no fold can learn from its test clips through them.

    Subclasses define ``describe(clip) -> ndarray (values,)`` and ``channels``, the least number of
    channels, and have a parameter ``progress``.
    """

    channels = 1
    #: Says so to `elrcn.evaluation.runner`, which then describes every clip once, not once a fold.
    per_clip = True

    def fit(self, X, y=None):
        """Do nothing: there is nothing to learn."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Feature vector of one clip (T, channels, H, W)."""
        raise TypeError("a descriptor defines describe()")

    def transform(self, X) -> np.ndarray:
        """Features (clips, values), float64, computed clip by clip.

        Parameters
        ----------
        X : ndarray or StackArray, shape (clips, T, channels, H, W)
            Read one clip at a time.

        Raises
        ------
        ElrcnError
            If the array has another shape, or a clip is too small for the descriptor.
        """
        shape = tuple(X.shape)
        if len(shape) != 5 or shape[2] < self.channels:
            raise ElrcnError(
                f"{type(self).__name__} takes clips of shape (clips, T, channels, H, W) with at "
                f"least {self.channels} channel(s), not {shape}.",
                fix="pass grey sequences (HOG-3D, LBP-TOP) or flow stacks (HOOF)",
            )
        indices = tqdm(
            range(len(X)), desc=type(self).__name__, unit="clip", disable=not self.progress
        )
        return np.stack([self.describe(np.asarray(X[i])) for i in indices])


def block_edges(length: int, blocks: int, what: str) -> np.ndarray:
    """Borders of `blocks` nearly equal parts of 0..`length`: round(i * length / blocks).

    Returns
    -------
    numpy.ndarray of int64, shape (blocks + 1,)

    Raises
    ------
    ElrcnError
        If there is less than one pixel or frame a part.
    """
    if blocks < 1 or length < blocks:
        raise ElrcnError(
            f"{length} {what} cannot be divided into {blocks} parts.",
            fix="choose fewer blocks or cells, or larger or longer clips",
        )
    return np.floor(np.arange(blocks + 1) * length / blocks + 0.5).astype(np.int64)


def block_means(values: np.ndarray, axis: int, blocks: int, what: str) -> np.ndarray:
    """Means of `values` over `blocks` nearly equal parts of `axis`, which keeps its place.

    Raises
    ------
    ElrcnError
        As `block_edges`.
    """
    edges = block_edges(values.shape[axis], blocks, what)
    sizes = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    return np.add.reduceat(values, edges[:-1], axis=axis) / sizes
