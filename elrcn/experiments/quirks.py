"""The authors' published code: each of its departures from the paper, on and off."""

from __future__ import annotations

from elrcn.experiments.experiment import Experiment

EXPERIMENTS: tuple[Experiment, ...] = ()
