"""Section V: more interpolated frames, and augmentation, which the authors left for later."""

from __future__ import annotations

from elrcn.experiments.experiment import Experiment

EXPERIMENTS: tuple[Experiment, ...] = ()
