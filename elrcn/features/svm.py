"""The linear support vector machine behind every handcrafted baseline of the paper."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

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
