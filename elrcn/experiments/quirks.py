"""The authors' published code: each of its departures from the paper, on and off.

Two families. *ELRCN-SE* is the paper's network of Table I, in which the switches show what each
departure would have cost. *Flow, VGG fine-tuned, LSTM* is what users of the authors' code could
run: there
neither SE nor TE run as published, and what runs is one network on flow that starts from VGG-Face,
then the LSTM.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sklearn.base import BaseEstimator

from elrcn.experiments.experiment import Experiment
from elrcn.experiments.methods import MAJORITY, SE, TE, Method
from elrcn.experiments.modules import FLOW_TUNED
from elrcn.experiments.switches import (
    DENSE_LAYER,
    FROZEN,
    GATES,
    RESHAPE,
    REVERSED,
    SCALE,
    SHARED,
    SIGMOID,
    STOPPING,
    SUBSTRING,
    TOGETHER,
    TOGETHER_SCALED,
    UINT8,
    Switch,
)
from elrcn.experiments.tasks import EMOTION_ABLATION
from elrcn.experiments.weights import Options
from elrcn.session import Session

#: Switches of the flow network: all. The temporal stage's cost least, so they stand together.
FLOW_SWITCHES = (
    FROZEN, RESHAPE, REVERSED, UINT8, SUBSTRING, SHARED, STOPPING, SIGMOID, GATES, DENSE_LAYER,
    TOGETHER_SCALED, SCALE, TOGETHER,
)  # fmt: skip
#: Switches of SE: those of the demo's budget. Its networks cost twice those of the flow network.
SE_SWITCHES = (RESHAPE, UINT8, STOPPING, SIGMOID, GATES, DENSE_LAYER, TOGETHER_SCALED)


def _flow_only(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    return TE.build(session, options).set_params(streams=("flow",))


def _switched(base, change, session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    estimator = base(session, options)
    return estimator.set_params(**change(estimator, session.profile))


def _family(base: Method, switches) -> tuple[Method, ...]:
    """Give `base` and one method a switch, in the group of `base`."""
    return (
        base,
        *(
            replace(
                base,
                name=f"{base.name}-{switch.name}",
                label=switch.label,
                build=partial(_switched, base.build, switch.change),
                labels=switch.labels,
                published="",
            )
            for switch in switches
        ),
    )


FLOW_BASE = replace(
    TE, name="flow", label="no switch", build=_flow_only, published="", group=f"{FLOW_TUNED}, LSTM"
)
SE_BASE = replace(SE, label="no switch", group="ELRCN-SE")
#: Methods without a switch: what the others are compared with.
BASES = (FLOW_BASE, SE_BASE)
_METHODS = (
    replace(MAJORITY, group="for comparison"),
    *_family(FLOW_BASE, FLOW_SWITCHES),
    *_family(SE_BASE, SE_SWITCHES),
)


def switch_of(method: Method) -> Switch | None:
    """Return the switch that `method` turns on; None for a base or a method of no family."""
    name = method.name.partition("-")[2]
    known = {switch.name: switch for switch in (*FLOW_SWITCHES, *SE_SWITCHES)}
    return known.get(name)


def base_of(method: Method) -> Method | None:
    """Return what `method` is compared with; None for a base or a method of no family."""
    name = method.name.partition("-")[0]
    return next((b for b in BASES if b.name == name and b.name != method.name), None)


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "quirks",
        "Authors' code",
        "What the authors' published code does differently, switch by switch",
        EMOTION_ABLATION,
        _METHODS,
        "quirks",
    ),
)
