"""Parameters of the LSTMs that Figures 6 to 8 compare, here and at the paper's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from elrcn.config import PROFILES, Profile
from elrcn.estimate.costs import temporal_cost
from elrcn.experiments.lstms import paper_units, scaled_units, units_text
from elrcn.experiments.methods import Method


def lstm_table(
    methods: Sequence[Method],
    profile: Profile,
    inputs: int,
    paper_inputs: int,
    classes: int,
    frames: int = 9,
) -> pd.DataFrame:
    """Units and parameters of the temporal stage of every method, here and in the paper.

    Parameters
    ----------
    methods : sequence of Method
        Those without an LSTM of Figures 6 to 8 are left out.
    profile : Profile
        What "here" is.
    inputs, paper_inputs : int
        Values of a frame that the LSTM is given, here and in the paper.
    classes : int
        Classes of the last layer.
    frames : int
        Steps a clip; parameters do not depend on them, operations do.

    Returns
    -------
    DataFrame
        Index `method` (the label in the paper), columns `units_here`, `parameters_here`,
        `paper_units`, `paper_parameters`, and `paper_gflop` (forward pass of a clip, in 1e9
        operations).
    """
    paper, rows = PROFILES["paper"], {}
    for method in methods:
        units = paper_units(method)
        if units is None:
            continue
        here = scaled_units(profile, units)
        ours = temporal_cost(replace(profile.temporal, units=here), inputs, frames, classes)
        theirs = temporal_cost(replace(paper.temporal, units=units), paper_inputs, frames, classes)
        rows[method.label] = {
            "units_here": units_text(here),
            "parameters_here": ours.parameters,
            "paper_units": units_text(units),
            "paper_parameters": theirs.parameters,
            "paper_gflop": theirs.forward_flops / 1e9,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
