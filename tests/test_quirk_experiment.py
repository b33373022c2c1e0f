"""The switches of the authors' code: what each changes, and nothing else."""

import pytest

from elrcn.config import PROFILES, TrainConfig
from elrcn.experiments import Options, get_experiment, plan, run
from elrcn.experiments.quirks import FLOW_BASE, SE_BASE, base_of, switch_of
from elrcn.experiments.switches import rate_left, updates_of_earlier_folds
from elrcn.models.inputs import AS_THE_CODE_RAN, Quirks
from elrcn.session import Session
from elrcn.workspace import Workspace

METHODS = {m.name: m for m in get_experiment("quirks").methods}
NO_WEIGHTS = Options("none")


@pytest.fixture(scope="module")
def session(smoke_home):
    home = Workspace(smoke_home)
    return Session("smoke", workspace=home, device="cpu", workers=1, progress=False)


@pytest.fixture(scope="module")
def paper(smoke_home):
    return Session("paper", workspace=Workspace(smoke_home), device="cpu", progress=False)


def changed(method, session):
    """Parameters of a method that are not those of its base."""
    base = base_of(method).build(session, NO_WEIGHTS).get_params(deep=False)
    own = method.build(session, NO_WEIGHTS).get_params(deep=False)
    return {key: own[key] for key in own if own[key] != base[key]}


def test_bases_are_the_networks_of_the_paper(session):
    se = METHODS["elrcn_se"].build(session).get_params(deep=False)
    assert se == get_experiment("table1").methods[2].build(session).get_params(deep=False)
    flow = METHODS["flow"].build(session, NO_WEIGHTS)
    assert flow.streams == ("flow",) and flow.quirks is None
    assert FLOW_BASE.starts_from_weights and not SE_BASE.starts_from_weights


def test_each_switch_changes_its_own_setting_only(session):
    expected = {
        "reshape_layout": {"quirks": Quirks(reshape_layout=True)},
        "uint8_flow": {"quirks": Quirks(uint8_flow=True)},
        "raw_scale": {"quirks": Quirks(raw_scale=True)},
        "sigmoid_head": {"quirks": Quirks(sigmoid_head=True)},
        "hard_gates": {"gates": "hard"},
    }
    for name, change in expected.items():
        assert changed(METHODS[f"flow-{name}"], session) == change
    (dense,) = changed(METHODS["flow-dense"], session).values()
    assert dense.dense == 128 and dense.units == session.profile.temporal.units
    shared = changed(METHODS["flow-shared_optimizer"], session)["quirks"]
    assert shared.shared_optimizer and shared.updates_before > 0


def test_all_together_is_every_switch(session):
    for base in ("flow", "elrcn_se"):
        change = changed(METHODS[f"{base}-as_the_code_ran"], session)
        quirks = change.pop("quirks")
        assert quirks == Quirks(*[True] * 5, updates_before=quirks.updates_before)
        assert quirks.updates_before > 0
        assert Quirks(*[True] * 5) == AS_THE_CODE_RAN
        assert change["gates"] == "hard" and change["temporal"].dense == 128
        assert change["temporal_train"].patience == session.profile.temporal_train.max_epochs
    scaled = METHODS["flow-as_the_code_ran_scaled"].build(session, NO_WEIGHTS)
    assert scaled.scaling == "standard" and not scaled.quirks.raw_scale
    assert scaled.quirks.reshape_layout


def test_input_is_raw_in_the_paper_profile_so_the_scale_is_turned_the_other_way(paper):
    assert METHODS["flow"].build(paper, NO_WEIGHTS).scaling == "raw"
    assert changed(METHODS["flow-raw_scale"], paper) == {"scaling": "standard"}


def test_updates_before_by_hand(paper):
    # 246 clips less a 26th of them, nine frames each: 67 batches of 32, 8 of the temporal stage;
    # 100 epochs; 12.5 folds before the one in the middle.
    se = METHODS["elrcn_se"].build(paper)
    assert updates_of_earlier_folds(se, PROFILES["paper"]) == 100 * (67 + 8) * 25 // 2
    te = get_experiment("table1").methods[3].build(paper, NO_WEIGHTS)
    assert updates_of_earlier_folds(te, PROFILES["paper"]) == 100 * (3 * 67 + 8) * 25 // 2
    assert rate_left(0, TrainConfig()) == 1
    assert rate_left(1_000_000, TrainConfig(decay=1e-6)) == pytest.approx(0.5)


def test_every_method_of_a_family_has_a_switch_and_a_base():
    for method in METHODS.values():
        assert (switch_of(method) is None) == (base_of(method) is None)
        if base_of(method):
            assert method.group == base_of(method).group != ""
    assert base_of(METHODS["majority"]) is None


def test_runs_and_shares_networks_with_its_base(session):
    wanted = ["flow", "flow-sigmoid_head", "flow-as_the_code_ran"]
    store = session.workspace.cache / "spatial"
    results = run("quirks", session, wanted[:1], NO_WEIGHTS)
    before = set(store.iterdir())
    results |= run("quirks", session, wanted[1:2], NO_WEIGHTS)
    assert set(store.iterdir()) == before
    results |= run("quirks", session, wanted[2:], NO_WEIGHTS)
    assert len(set(store.iterdir())) == len(before) + len(plan("quirks", session).folds)
    clips = [sorted(rows["clip_id"]) for rows in results.values()]
    assert clips[0] == clips[1] == clips[2]
