"""The trainings that an estimator goes through, with their costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elrcn.config import TemporalConfig, TrainConfig, VGGConfig, config_hash
from elrcn.estimate.costs import TRAINING_BYTES, NetworkCost, temporal_cost, vgg_cost
from elrcn.evaluation.protocols import Fold


@dataclass(frozen=True)
class Stage:
    """One network of a method, over all folds that are to be run.

    Attributes
    ----------
    name : str
        Such as "spatial (flow)".
    config : VGGConfig or TemporalConfig
        The network.
    inputs : int
        Channels of a VGG, values a step of an LSTM.
    cost : NetworkCost
        For one sample.
    train : TrainConfig
        Epochs at most and batch size; no epoch for a network that is only applied.
    samples : tuple of int
        Training samples of each fold whose network is trained.
    applied : int
        Samples that the networks are applied to, all folds together.
    shared : int
        Folds whose network another method of the run trains and a feature store keeps.
    """

    name: str
    config: VGGConfig | TemporalConfig
    inputs: int
    cost: NetworkCost
    train: TrainConfig
    samples: tuple[int, ...]
    applied: int
    shared: int = 0

    @property
    def trains(self) -> bool:
        """Whether a network is trained at all."""
        return self.train.max_epochs > 0

    @property
    def updates(self) -> int:
        """Updates of the weights at most."""
        size = max(1, self.train.batch_size)
        return self.train.max_epochs * sum(-(-n // size) for n in self.samples)

    @property
    def trained(self) -> int:
        """Samples trained on at most, each counted once an epoch."""
        return self.train.max_epochs * sum(self.samples)

    @property
    def flops(self) -> float:
        """Floating-point operations at most."""
        return (
            float(self.trained) * self.cost.training_flops + self.applied * self.cost.forward_flops
        )

    @property
    def key(self) -> str:
        """The same for stages whose networks differ in nothing but their input."""
        return config_hash(type(self.config).__name__, self.config)

    def memory(self, value_bytes: int) -> float:
        """Bytes of one training step: weights, gradients, moments, activations of a batch.

        A network that is only applied has its weights and the activations.
        """
        batch = min(self.train.batch_size, max(self.samples, default=0))
        if not self.trains:
            return 4 * self.cost.parameters + batch * self.cost.activation_bytes(value_bytes)
        # Half as much again for the gradients that pass through.
        return TRAINING_BYTES * self.cost.parameters + 1.5 * batch * self.cost.activation_bytes(
            value_bytes
        )


def stages(estimator, folds: Sequence[Fold], frames: int, classes: int) -> tuple[Stage, ...]:
    """Networks of `estimator` on `folds`; none for an estimator without networks.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Unfitted; its parameters are read.
    folds : sequence of Fold
        Folds to be run.
    frames, classes : int
        Steps a clip, classes of the task.
    """
    from elrcn.models.inputs import STREAMS

    # Training on variants of clips wraps the estimator whose networks are meant.
    factor = getattr(estimator, "clips_factor", 1)
    has = getattr(estimator, "estimator", estimator).get_params(deep=False)
    streams = has.get("streams") or (has.get("stream", "all"),)
    clips = [factor * len(fold.train) for fold in folds]
    both = sum(clips) + sum(len(fold.test) for fold in folds)
    made, values = [], 0
    if has.get("vgg") is not None:
        values = len(streams) * has["vgg"].fc
    elif has.get("pixels"):
        values = len(set(STREAMS[streams[0]])) * has["pixels"] ** 2
    if has.get("vgg") is not None:
        # Without a training of its own the network only gives features (`FrozenFeatureSVM`).
        train = has.get("spatial_train") or TrainConfig(max_epochs=0)
        name = "spatial" if train.max_epochs else "frozen"
        for stream in streams:
            channels = len(STREAMS[stream])
            cost = vgg_cost(has["vgg"], channels, classes)
            samples = tuple(n * frames for n in clips)
            made.append(
                Stage(f"{name} ({stream})", has["vgg"], channels, cost, train, samples,
                      both * frames)
            )  # fmt: skip
    if has.get("temporal") is not None:
        cost = temporal_cost(has["temporal"], values, frames, classes)
        made.append(
            Stage("temporal", has["temporal"], values, cost, has["temporal_train"],
                  tuple(clips), both - sum(clips))
        )  # fmt: skip
    return tuple(made)
