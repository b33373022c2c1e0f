"""A few training steps on the machine at hand, timed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from elrcn.config import VGGConfig
from elrcn.estimate.stages import Stage
from elrcn.session import Session

_STEP_FLOPS = 2e11  # of one step on a CPU: a few seconds


@dataclass(frozen=True)
class Speed:
    """Measured speed of one network's training on a device.

    Attributes
    ----------
    flops_per_s : float
        Of forward and backward pass.
    update_s : float
        Seconds of an update of the weights, per parameter.
    """

    flops_per_s: float
    update_s: float

    def seconds(self, stage: Stage) -> float:
        """Seconds of all trainings of `stage`, one after another."""
        return (
            stage.flops / self.flops_per_s + stage.updates * self.update_s * stage.cost.parameters
        )


def measure(stages: Iterable[Stage], session: Session, steps: int = 2) -> dict[str, Speed]:
    """Time a few training steps of every kind of network on the session's device.

    Parameters
    ----------
    stages : iterable of Stage
        Of each kind the costliest is timed.
    session : Session
        Device and threads a fold.
    steps : int
        Steps timed after one that is not; the fastest counts.

    Returns
    -------
    dict of str to Speed
        By `Stage.key`. Frames are random; on a CPU a batch is cut to some seconds a step.
    """
    largest: dict[str, Stage] = {}
    for stage in stages:
        best = largest.get(stage.key)
        if best is None or stage.cost.macs > best.cost.macs:
            largest[stage.key] = stage
    return {key: _measure(stage, session, steps) for key, stage in largest.items()}


def _measure(stage: Stage, session: Session, steps: int) -> Speed:
    import torch
    from torch.nn import functional as F

    from elrcn.models import train as devices
    from elrcn.models.networks import VGG, TemporalHead
    from elrcn.models.train import KerasAdam, autocast

    device = devices.resolve_device(session.device)
    batch = stage.train.batch_size
    if device.type == "cpu":
        batch = int(np.clip(_STEP_FLOPS // stage.cost.training_flops, 1, batch))
    images = isinstance(stage.config, VGGConfig)
    size = [int(n) for n in stage.cost.shape.split(" x ")]
    layout = devices.memory_format(device) if images else torch.contiguous_format
    taken = []
    with devices.reproducible(device, 0, session.profile.threads_per_fold):
        if images:
            module = VGG(stage.config, stage.inputs, 5, init="torch")
        else:
            module = TemporalHead(stage.config, stage.inputs, 5, init="torch")
        module.to(device, memory_format=layout if images else None).train(True)
        adam = KerasAdam(module, stage.train)
        x = torch.randn(batch, *size).to(device, memory_format=layout)
        y = torch.zeros(batch, dtype=torch.int64, device=device)
        for _ in range(1 + steps):
            clock = [_now(device)]
            with autocast(device):
                logits = module(x)
            F.cross_entropy(logits.float(), y).backward()
            clock.append(_now(device))
            adam.step()
            clock.append(_now(device))
            taken.append(np.diff(clock))
    forward, update = np.min(taken[1:], axis=0)
    return Speed(
        batch * stage.cost.training_flops / max(forward, 1e-9), update / stage.cost.parameters
    )


def _now(device) -> float:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
