"""Figure 9: where the network looks, and whether something moved there."""

from __future__ import annotations

from elrcn.experiments.experiment import Experiment

EXPERIMENTS: tuple[Experiment, ...] = ()
