"""Figures 5 to 8 (Section IV-E): the spatial and the temporal module alone, then combined."""

from __future__ import annotations

from elrcn.experiments.experiment import Experiment

EXPERIMENTS: tuple[Experiment, ...] = ()
