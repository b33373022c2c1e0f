"""The linear support vector machine behind every handcrafted baseline of the paper."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted


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

    Attributes
    ----------
    classes_ : ndarray
        Labels seen in training, sorted. A single one is answered always.

    Notes
    -----
    `predict_proba` is the softmax of the decision values. It keeps their order, so its greatest
    entry is the SVM's decision, and that is all it is for: it is **not** a calibrated probability
    (Platt scaling would cost a cross-validation inside each fold and may contradict the decision).
    """

    def __init__(self, C: float = 10000.0, max_iter: int = 1_000_000):
        self.C = C
        self.max_iter = max_iter

    def fit(self, X, y):
        """Train on features `X` (clips, values) with labels `y` (clips,)."""
        self.classes_ = np.unique(y)
        self.svm_ = None
        if len(self.classes_) > 1:
            # break_ties: the decision is the argmax of decision_function, also when classes win
            # equally many pairs (plain LIBSVM then answers the first class).
            svm = SVC(kernel="linear", C=self.C, max_iter=self.max_iter, break_ties=True)
            self.svm_ = svm.fit(X, y)
        return self

    def decision_function(self, X) -> np.ndarray:
        """Decision values (clips, classes); for two classes minus and plus half the margin."""
        check_is_fitted(self, "classes_")
        if self.svm_ is None:
            return np.zeros((len(X), 1))
        values = self.svm_.decision_function(X)
        return np.stack([-values / 2, values / 2], axis=1) if values.ndim == 1 else values

    def predict_proba(self, X) -> np.ndarray:
        """Softmax of the decision values (clips, classes): ordered as they are, not calibrated."""
        values = self.decision_function(X)
        # Two classes' margins are unbounded: shifted by the maximum, no exponential overflows.
        scores = np.exp(values - values.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, X) -> np.ndarray:
        """Class of the greatest decision value."""
        return self.classes_[self.decision_function(X).argmax(axis=1)]
