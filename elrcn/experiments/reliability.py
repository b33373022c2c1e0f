"""What a single score hides: epochs chosen on the test subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from sklearn.base import BaseEstimator

from elrcn.config import Profile
from elrcn.experiments.experiment import Experiment
from elrcn.experiments.methods import SE, TE, Method
from elrcn.experiments.tasks import EMOTION_LOSO
from elrcn.experiments.weights import Options
from elrcn.session import Session

#: Epochs of the temporal stage in the experiment "epochs"; 0 stands for all that the profile has.
EPOCHS = (1, 2, 5, 10, 20, 0)

_VARIANTS = {"se": SE, "te": TE}


def epochs_in(profile: Profile, epochs: int) -> int:
    """Epochs that a method of "epochs" trains under `profile`: at most all, and 0 means all."""
    most = profile.temporal_train.max_epochs
    return min(epochs, most) or most


def _stopped(prefix: str, epochs: int) -> Method:
    method = _VARIANTS[prefix]

    def build(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
        """Give Table I's estimator, its temporal stage trained for exactly so many epochs."""
        estimator = method.build(session, options)
        count = epochs_in(session.profile, epochs)
        return estimator.set_params(
            # With as much patience as epochs the loss never ends the training.
            temporal_train=replace(estimator.temporal_train, max_epochs=count, patience=count)
        )

    return replace(
        method,
        name=f"{prefix}_epochs_{epochs or 'last'}",
        label=f"{method.label}, {f'epoch {epochs}' if epochs else 'last epoch'}",
        build=build,
        published="",
        group=method.label,
    )


def rows_by_epochs(
    results: Mapping[str, pd.DataFrame], prefix: str, profile: Profile
) -> dict[int, pd.DataFrame]:
    """Prediction rows of "se" or "te" by epochs trained, ascending, out of experiment "epochs".

    A profile with few epochs has fewer entries than `EPOCHS`: what is beyond its last is its last.
    """
    found = {epochs_in(profile, k): results[f"{prefix}_epochs_{k or 'last'}"] for k in EPOCHS}
    return dict(sorted(found.items()))


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "epochs",
        "Section III-D (when to stop)",
        "Table I with the temporal stage stopped at fixed epochs",
        EMOTION_LOSO,
        tuple(_stopped(prefix, epochs) for prefix in _VARIANTS for epochs in EPOCHS),
        "statistics",
    ),
)
