"""Training on augmented clips: any classifier of clips, fitted to variants as well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from elrcn.config import TrainConfig
from elrcn.errors import ElrcnError
from elrcn.preprocess.clips import VARIANTS


class TrainAugmented(ClassifierMixin, BaseEstimator):
    """Fit an estimator to the training clips and their variants; test it on plain clips.

    Parameters
    ----------
    estimator : scikit-learn classifier of clips
        Cloned, never fitted itself. Its `random_state` is the seed of everything.
    variants : tuple of str
        Which of the variants that `X` carries are used; each has the label of its clip.

    Attributes
    ----------
    estimator_ : classifier
        The fitted clone.
    classes_ : ndarray
        Its labels.
    """

    def __init__(self, estimator, variants: tuple[str, ...] = VARIANTS):
        self.estimator = estimator
        self.variants = variants

    @property
    def clips_factor(self) -> int:
        """Training clips for each clip given: itself and its variants."""
        return 1 + len(self.variants)

    def fit(self, X, y):
        """Fit to the clips of `X` and to their variants.

        Parameters
        ----------
        X : StackArray with `variants`, shape (clips, frames, 5, H, W)
            Training clips only: the variants of a clip are wherever the clip is.
        y : array (clips,)
            Labels.

        Raises
        ------
        ElrcnError
            If `X` carries no variants, or not these, or as the estimator does.
        """
        if not getattr(X, "variants", None):
            raise ElrcnError(
                "Augmented training needs clips with their variants.",
                fix="pass what elrcn.preprocess.cache.build_clips gives for these variants",
            )
        labels = np.tile(np.asarray(y), self.clips_factor)
        self.estimator_ = clone(self.estimator).fit(X.everything(self.variants), labels)
        self.classes_ = self.estimator_.classes_
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Class probabilities (clips, classes) of the plain clips; variants are not looked at."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict_proba(X)

    def predict(self, X) -> np.ndarray:
        """Most probable label of every plain clip."""
        return self.classes_[self.predict_proba(X).argmax(1)]


def fewer_epochs(config: TrainConfig, factor: float) -> TrainConfig:
    """Shorten a training whose epochs are `factor` times as long: about as many updates.

    Parameters
    ----------
    config : TrainConfig
    factor : float
        Training samples over those that `config` is meant for, above 0.

    Returns
    -------
    TrainConfig
        `max_epochs` and `patience` divided by `factor` and rounded up.
    """
    return replace(
        config,
        # Rounded first: 25 / (1 / 0.8) is a little more than 20.
        max_epochs=int(np.ceil(round(config.max_epochs / factor, 9))),
        patience=int(np.ceil(round(config.patience / factor, 9))),
    )
