"""What a single score hides: seeds, and epochs chosen on the test subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from sklearn.base import BaseEstimator

from elrcn.config import Profile
from elrcn.experiments.experiment import Experiment
from elrcn.experiments.methods import SE, TE, Method
from elrcn.experiments.tasks import EMOTION_ABLATION, EMOTION_LOSO
from elrcn.experiments.weights import Options
from elrcn.session import Session

#: Seeds of the experiment "seeds", each added to the session's.
SEEDS = (0, 1, 2)
#: Epochs of the temporal stage in the experiment "epochs"; 0 stands for all that the profile has.
EPOCHS = (1, 2, 5, 10, 20, 0)

_VARIANTS = {"se": SE, "te": TE}


def epochs_in(profile: Profile, epochs: int) -> int:
    """Epochs that a method of "epochs" trains under `profile`: at most all, and 0 means all."""
    most = profile.temporal_train.max_epochs
    return min(epochs, most) or most


def _seeded(prefix: str, seed: int) -> Method:
    method = _VARIANTS[prefix]
    return replace(
        method,
        name=f"{prefix}_seed{seed}",
        label=f"{method.label}, seed {seed}",
        published="",
        seed=seed,
        group=method.label,
    )


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


def rows_by_seed(results: Mapping[str, pd.DataFrame], prefix: str) -> dict[int, pd.DataFrame]:
    """Prediction rows of "se" or "te" by seed, out of the results of experiment "seeds"."""
    return {seed: results[f"{prefix}_seed{seed}"] for seed in SEEDS}


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
        "seeds",
        "Section IV (one seed)",
        "The same training from other random numbers",
        EMOTION_ABLATION,
        tuple(_seeded(prefix, seed) for prefix in _VARIANTS for seed in SEEDS),
        "statistics",
    ),
    Experiment(
        "epochs",
        "Section III-D (when to stop)",
        "Table I with the temporal stage stopped at fixed epochs",
        EMOTION_LOSO,
        tuple(_stopped(prefix, epochs) for prefix in _VARIANTS for epochs in EPOCHS),
        "statistics",
    ),
)
