"""One name, one method: what a label says, and that no two things have the same."""

import re
from collections import defaultdict

import pytest

from elrcn.config import PROFILES, canonical
from elrcn.experiments import REGISTRY, Options
from elrcn.experiments.methods import lstm_text, scaled_units
from elrcn.experiments.registry import EMOTION_ABLATION
from elrcn.session import Session
from elrcn.workspace import Workspace


def session_of(profile, tmp_path):
    return Session(profile, workspace=Workspace(tmp_path), device="cpu", progress=False)


def whole_name(method, profile):
    """What a reader takes a row to be: its label, and the network it is a deviation of."""
    name = method.label
    if name == "no deviation":
        name = method.group
    elif method.name.partition("-")[2]:
        name = f"{method.group}, {name}"
    # An LSTM without units is the profile's own.
    own = profile.temporal.units
    if scaled_units(profile, (3000,)) == own:
        name = name.replace(lstm_text((3000,), profile), "LSTM")
    # Where T is varied the paper's is said too, and changes nothing in a profile of full size.
    if method.preprocess(profile.preprocess) == profile.preprocess:
        name = re.sub(rf", T = {profile.preprocess.tim_length}$", "", name)
    return name


def identity(method, session):
    """What a method is: estimator with all parameters, input, preprocessing and labels."""
    estimator = method.build(session, Options("none"))
    told = {
        key: repr(value)
        for key, value in estimator.get_params(deep=True).items()
        if not hasattr(value, "get_params") and key.rsplit("__", 1)[-1] != "steps"
    }
    return (
        type(estimator).__name__,
        tuple(sorted(told.items())),
        # None here stands for the weights that are asked for, which no name needs to say twice.
        method.starts_from_weights,
        method.input,
        repr(canonical(method.preprocess(session.profile.preprocess))),
        getattr(method.labels, "__name__", ""),
    )


def rows_of_tasks(session):
    """Methods of every experiment by task, under the names of the session's profile."""
    for experiment in REGISTRY.values():
        # Figure 9 explains Table I's network.
        for method in () if experiment.maps else experiment.methods:
            yield experiment.task, method.under(session.profile)


@pytest.mark.parametrize("profile", ["demo", "paper"])
def test_a_name_is_one_method_and_a_method_has_one_name(profile, tmp_path):
    session = session_of(profile, tmp_path)
    names, things = defaultdict(set), defaultdict(set)
    for task, method in rows_of_tasks(session):
        name, thing = whole_name(method, session.profile), identity(method, session)
        names[task, name].add(thing)
        things[task, thing].add(name)
    assert {key: len(found) for key, found in names.items() if len(found) > 1} == {}
    twice = [sorted(found) for found in things.values() if len(found) > 1]
    assert twice == []


@pytest.mark.parametrize("profile", list(PROFILES))
def test_only_three_streams_under_one_lstm_are_called_te(profile, tmp_path):
    session = session_of(profile, tmp_path)
    found = set()
    for _, method in rows_of_tasks(session):
        if "ELRCN-TE" in f"{method.label} {method.group}":
            estimator = method.build(session, Options("none"))
            network = getattr(estimator, "estimator", estimator)
            assert network.get_params(deep=False)["streams"] == ("flow", "strain", "grey")
            assert type(network).__name__ == "ELRCN", method.label
            found.add(method.name)
    assert "elrcn_te" in found


@pytest.mark.parametrize("profile", list(PROFILES))
def test_units_of_this_run_come_first_in_a_label(profile, tmp_path):
    session = session_of(profile, tmp_path)
    told = 0
    for _, method in rows_of_tasks(session):
        if units := re.search(r"LSTM \(([\d-]+)(?: for ([\d-]+))?\)", method.label):
            built = method.build(session, Options("none")).temporal.units
            assert units[1] == "-".join(map(str, built)), method.label
            assert (units[2] is None) == (profile == "paper")
            told += 1
    assert told == 12


def test_readings_are_said():
    readings = ("votes", "mean of frames", "SVM votes")
    figure5 = REGISTRY["figure5"].methods[2:]
    assert all(method.label.endswith(readings) and "VGG" in method.label for method in figure5)
    assert len({m.label for m in figure5}) == len(figure5)


def test_all_ablations_leave_out_the_same_subjects():
    tasks = {e.name: e.task for e in REGISTRY.values()}
    ablations = {"figure5", "figure6", "figure7", "figure8", "tim", "augmentation", "quirks"}
    assert {name for name, task in tasks.items() if task is EMOTION_ABLATION} == ablations
    assert {name for name, task in tasks.items() if task.ablation} == ablations
