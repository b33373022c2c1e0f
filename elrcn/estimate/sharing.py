"""Networks that several methods ask for and a feature store trains once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elrcn.config import PreprocessConfig, VGGConfig, config_hash
from elrcn.estimate.stages import Stage
from elrcn.evaluation.protocols import Fold
from elrcn.experiments import Method, Plan
from elrcn.models.spatial_stage import MOST_KEPT


class Store:
    """What a feature store will hold once the methods counted so far have run.

    A method's networks are known by what decides them: stream, configuration, training, input,
    what they start from, seed, and the fold's training clips with their labels.
    """

    def __init__(self):
        self._networks: set[str] = set()

    def add(
        self, stages: Sequence[Stage], estimator, p: Plan, method: Method, config: PreprocessConfig,
        folds: Sequence[Fold], copies: int = 1,
    ) -> tuple[tuple[Stage, ...], int]:  # fmt: skip
        """Count a method's networks, those that are there already left out.

        Parameters
        ----------
        stages : sequence of Stage
            From `elrcn.estimate.stages.stages`.
        estimator, p, method, config
            The method's estimator, its plan, itself and its preprocessing.
        folds : sequence of Fold
            Folds to be run, as `stages` was given them.
        copies : int
            Variants that each training clip is trained on as, itself counted.

        Returns
        -------
        stages : tuple of Stage
            With the samples of the networks that are trained, and the number of the others.
        size : int
            Bytes that the store grows by at most.
        """
        counted, size = [], 0
        for stage in stages:
            if not isinstance(stage.config, VGGConfig):
                counted.append(stage)
                continue
            keys = [_key(stage, estimator, p, method, config, fold, copies) for fold in folds]
            new = [key not in self._networks for key in keys]
            samples = tuple(n for n, mine in zip(stage.samples, new, strict=True) if mine)
            self._networks.update(keys)
            if 4 * stage.cost.parameters <= MOST_KEPT:
                size += 4 * stage.cost.parameters * len(samples)
            # fc6, fc7 and a few probabilities of every frame it is applied to.
            size += 8 * stage.config.fc * stage.applied * len(samples) // max(1, len(keys))
            counted.append(replace(stage, samples=samples, shared=len(keys) - len(samples)))
        return tuple(counted), size


def _key(stage: Stage, estimator, p: Plan, method: Method, config, fold: Fold, copies: int) -> str:
    clips = p.manifest.table["clip_id"].to_numpy()[fold.train]
    return config_hash(
        stage.name, stage.config, stage.train, estimator.scaling, estimator.quirks, config,
        method.starts_from_weights, method.seed, fold.name, copies, clips.tolist(),
        p.labels_of(method)[fold.train].tolist(),
    )  # fmt: skip
