"""What handcrafted features share: clips, the linear machine, and the largest class."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted
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
        name, silent = type(self).__name__, not self.progress
        indices = tqdm(range(len(X)), name, unit="clip", disable=silent)
        return np.stack([self.describe(np.asarray(X[i])) for i in indices])


def block_edges(length: int, blocks: int, what: str) -> np.ndarray:
    """Borders of nearly equal parts of 0..`length`: round(i length / blocks), i = 0..blocks.

    Raises `ElrcnError` if there is less than one pixel or frame (`what`) a part.
    """
    if blocks < 1 or length < blocks:
        raise ElrcnError(
            f"{length} {what} cannot be divided into {blocks} parts.",
            fix="choose fewer blocks or cells, or larger or longer clips",
        )
    return np.floor(np.arange(blocks + 1) * length / blocks + 0.5).astype(np.int64)


def block_index(length: int, blocks: int, what: str) -> np.ndarray:
    """Part that each of 0..`length` - 1 lies in, (length,) int64; see `block_edges`."""
    return np.repeat(np.arange(blocks), np.diff(block_edges(length, blocks, what)))


def block_means(values: np.ndarray, axis: int, blocks: int, what: str) -> np.ndarray:
    """Means of `values` over `blocks` parts of `axis`, which keeps its place; see `block_edges`."""
    edges = block_edges(values.shape[axis], blocks, what)
    sizes = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    return np.add.reduceat(values, edges[:-1], axis=axis) / sizes


# Decision values differ by whole pairs, or by margins inside a tie: this much tells who won a tie.
_JUST_ABOVE = 1e-6


class LinearSVM(ClassifierMixin, BaseEstimator):
    """Linear SVM (Section IV-B: linear kernel, C = 10000) that also answers with scores.

    LIBSVM trains one machine a pair of classes; a class's decision value is its number of won
    pairs plus a term below 1/2 that orders ties by the machines' margins, and the greatest wins.

    Parameters
    ----------
    C : float
        Penalty of slack.
    max_iter : int
        Limit of LIBSVM's iterations a machine; -1 for none. The default is reached only by data
        that cannot be separated, where C = 10000 would run for minutes to gain nothing.
    break_ties : bool
        Which of the classes wins that won equally many pairs. False: the first of them in the
        order of `classes_`, as ``sklearn.svm.SVC``, which the authors used, and LIBSVM answer; its
        decision value is raised to just above the others'. True: the one with the best margins.

    Attributes
    ----------
    classes_ : ndarray
        Labels seen in training, sorted. A single one is answered always.
    converged_ : bool
        Whether no machine stopped at `max_iter`. Nothing is warned of.

    Notes
    -----
    `predict_proba` is the softmax of the decision values. It keeps their order, so its greatest
    entry is the SVM's decision, and that is all it is for: it is **not** a calibrated probability
    (Platt scaling would cost a cross-validation inside each fold and may contradict the decision).
    """

    def __init__(self, C: float = 10000.0, max_iter: int = 1_000_000, break_ties: bool = False):
        self.C = C
        self.max_iter = max_iter
        self.break_ties = break_ties

    def fit(self, X, y):
        """Train on features `X` (clips, values) with labels `y` (clips,)."""
        self.classes_ = np.unique(y)
        self.svm_, self.converged_ = None, True
        if len(self.classes_) > 1:
            svm = SVC(kernel="linear", C=self.C, max_iter=self.max_iter, break_ties=self.break_ties)
            # Told once a table, from `converged_`, not once a fold on the screen.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                self.svm_ = svm.fit(X, y)
            self.converged_ = not svm.fit_status_
        return self

    def decision_function(self, X) -> np.ndarray:
        """Decision values (clips, classes); for two classes minus and plus half the margin."""
        check_is_fitted(self, "classes_")
        if self.svm_ is None:
            return np.zeros((len(X), 1))
        values = self.svm_.decision_function(X)
        if values.ndim == 1:
            values = np.stack([-values / 2, values / 2], axis=1)
        # SVC's own answer: among tied classes its value need be neither the only best nor the best.
        answer = self.classes_ == self.svm_.predict(X)[:, None]
        others = np.where(answer, -np.inf, values).max(axis=1, keepdims=True)
        return np.where(answer, np.maximum(values, others + _JUST_ABOVE), values)

    def predict_proba(self, X) -> np.ndarray:
        """Softmax of the decision values (clips, classes): ordered as they are, not calibrated."""
        values = self.decision_function(X)
        # Two classes' margins are unbounded: shifted by the maximum, no exponential overflows.
        scores = np.exp(values - values.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, X) -> np.ndarray:
        """Class of the greatest decision value."""
        return self.classes_[self.decision_function(X).argmax(axis=1)]


class MajorityClassifier(DummyClassifier):
    """`sklearn.dummy.DummyClassifier` with ``strategy="most_frequent"`` that never looks at X.

    Equal counts go to the first class in sorted order. X may be a lazy array of any shape: only its
    length is used.
    """

    def __init__(self):
        super().__init__(strategy="most_frequent")

    def fit(self, X, y, sample_weight=None):
        """Count the labels `y` (clips,)."""
        return super().fit(np.zeros((len(X), 1)), y, sample_weight)

    def predict(self, X) -> np.ndarray:
        """Return the largest training class for every clip."""
        return super().predict(np.zeros((len(X), 1)))

    def predict_proba(self, X) -> np.ndarray:
        """1 for the largest training class, 0 for the others: (clips, classes)."""
        return super().predict_proba(np.zeros((len(X), 1)))
