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

#: Shares of the profile's epochs that temporal stages of the experiment "epochs" are trained for.
EPOCHS = (0.1, 0.2, 0.5, 1.0)

_VARIANTS = {"se": SE, "te": TE}


def epochs_in(profile: Profile, share: float) -> int:
    """Epochs that a method of "epochs" trains under `profile`: a share of all, at least one."""
    return max(1, round(share * profile.temporal_train.max_epochs))


def _name(prefix: str, share: float) -> str:
    return f"{prefix}_epochs_{share:.0%}".replace("%", "pc")


def _stopped(prefix: str, share: float) -> Method:
    method = _VARIANTS[prefix]

    def build(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
        """Give Table I's estimator, its temporal stage trained for exactly so many epochs."""
        estimator = method.build(session, options)
        count = epochs_in(session.profile, share)
        return estimator.set_params(
            # With as much patience as epochs the loss never ends the training.
            temporal_train=replace(estimator.temporal_train, max_epochs=count, patience=count)
        )

    return replace(
        method,
        name=_name(prefix, share),
        label=f"{method.label}, {share:.0%} of the LSTM's epochs",
        build=build,
        published="",
        group=method.label,
    )


def rows_by_epochs(
    results: Mapping[str, pd.DataFrame], prefix: str, profile: Profile
) -> dict[int, pd.DataFrame]:
    """Prediction rows of "se" or "te" by epochs trained, ascending, out of experiment "epochs".

    A profile with few epochs has fewer entries than `EPOCHS`, where shares come to the same.
    """
    found = {epochs_in(profile, k): results[_name(prefix, k)] for k in EPOCHS}
    return dict(sorted(found.items()))


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "epochs",
        "Section III-D (when to stop)",
        "Table I with the temporal stage stopped at fixed epochs",
        EMOTION_LOSO,
        tuple(_stopped(prefix, share) for prefix in _VARIANTS for share in EPOCHS),
        "statistics",
    ),
)
