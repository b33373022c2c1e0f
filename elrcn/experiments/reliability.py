"""What a single score hides: seeds, and epochs chosen on the test subject."""

from __future__ import annotations

from elrcn.experiments.experiment import Experiment

EXPERIMENTS: tuple[Experiment, ...] = ()
