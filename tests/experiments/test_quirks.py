"""The deviations of the authors' code: what each changes, and nothing else."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from elrcn.config import PROFILES, TrainConfig
from elrcn.experiments import Options, get_experiment, plan, run, run_method
from elrcn.experiments.methods import SE, TE
from elrcn.experiments.quirks import (
    FLOW_BASE,
    SE_BASE,
    base_of,
    deviation_of,
    rate_left,
    substring_labels,
    updates_of_earlier_folds,
)
from elrcn.manifest import Manifest
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
    assert se == SE.build(session).get_params(deep=False)
    flow = METHODS["flow"].build(session, NO_WEIGHTS)
    assert flow.streams == ("flow",) and flow.quirks is None
    assert FLOW_BASE.starts_from_weights and not SE_BASE.starts_from_weights


def test_each_deviation_changes_its_own_setting_only(session):
    expected = {
        "reshape_layout": {"quirks": Quirks(reshape_layout=True)},
        "uint8_flow": {"quirks": Quirks(uint8_flow=True)},
        "frozen_layers": {"quirks": Quirks(frozen_layers=True)},
        "reversed_channels": {"quirks": Quirks(reversed_channels=True)},
        "substring_label": {},
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


def test_all_together_is_every_deviation(session):
    every = {f.name for f in fields(Quirks)} - {"updates_before"}
    assert all(getattr(AS_THE_CODE_RAN, name) for name in every)
    missing = {
        "flow-as_the_code_ran": set(),
        "flow-as_the_code_ran_scaled": {"raw_scale"},
        "elrcn_se-as_the_code_ran_scaled": {"raw_scale", "frozen_layers"},
    }
    for name, off in missing.items():
        change = changed(METHODS[name], session)
        quirks = change.pop("quirks")
        assert {one for one in every if not getattr(quirks, one)} == off
        assert quirks.updates_before > 0 and METHODS[name].labels is substring_labels
        assert change["gates"] == "hard" and change["temporal"].dense == 128
        assert change["temporal"].biases == 1
        assert {change[f"{stage}_train"].epsilon for stage in ("spatial", "temporal")} == {"keras"}
        assert change["temporal_train"].patience == session.profile.temporal_train.max_epochs
        assert METHODS[name].build(session, NO_WEIGHTS).scaling == session.profile.scaling


def named_manifest(names, labels, database="CASME2"):
    """Clips called ``subject/name`` with these emotions; no frame is read."""
    rows = [
        {
            "clip_id": f"{database}/sub{name}",
            "database": database,
            "subject": f"{database}/{name.split('/')[0]}",
            "frames": ("a.jpg", "b.jpg"),
            "onset": 1,
            "apex": pd.NA,
            "offset": 2,
            "fps": 200.0,
            "action_units": "",
            "emotion": label,
            "objective_class": "VII",
            "sha256": "",
        }
        for name, label in zip(names, labels, strict=True)
    ]
    return Manifest(pd.DataFrame(rows))


def test_labels_by_part_of_the_name():
    names = ["01/EP01_02", "01/EP01_02f", "01/EP01_03", "02/EP01_02f", "02/EP11_02f", "03/EP01_02"]
    labels = np.array(["happiness", "repression", "others", "surprise", "disgust", "others"])
    given = labels.copy()
    found = substring_labels(named_manifest(names, labels), labels)
    # The second alone: within its subject, and the name that comes first wins.
    assert found.tolist() == ["happiness", "happiness", *labels[2:]]
    assert (labels == given).all()
    backwards = substring_labels(named_manifest(names[::-1], labels[::-1]), labels[::-1])
    assert backwards.tolist() == labels[::-1].tolist()


def test_one_pair_of_names_gives_the_class_sizes_that_users_must_have_had():
    sizes = {"happiness": 32, "disgust": 63, "repression": 27, "surprise": 25, "others": 99}
    labels = [label for label, n in sizes.items() for _ in range(n)]
    names = [f"{i % 26 + 1:02d}/EP{i // 26 + 1:02d}_01" for i in range(246)]
    at = labels.index("repression")
    names[at] = f"{names[0]}f"
    order = np.argsort(names)
    names, labels = np.array(names)[order], np.array(labels, dtype=object)[order]
    found = substring_labels(named_manifest(names, labels), labels)
    assert [int((found == c).sum()) for c in sizes] == [33, 63, 26, 25, 99]


def test_labels_stay_where_no_name_contains_another(session):
    p = plan("quirks", session)
    for method in p.methods:
        assert (p.labels_of(method) == p.labels).all()
    assert (p.labels_of(METHODS["flow-substring_label"]) is p.labels) is False


def test_a_changed_label_is_trained_and_scored(session):
    """Through `run_method`: the card and the rows hold what the method's labels say."""
    p = plan("quirks", session)
    i = int(np.flatnonzero(p.labels != p.labels[0])[0])

    def moved(manifest, labels):
        other = labels.copy()
        other[i] = labels[0]
        return other

    base = replace(METHODS["majority"], input="stack")  # those of the other tests here
    plain, other = (run_method(p, replace(base, labels=f), session) for f in (None, moved))
    assert len(list((session.workspace.runs / "quirks").glob("majority-*"))) == 2
    plain, other = (rows.set_index("clip_id")["true"] for rows in (plain, other))
    clip = p.manifest.table["clip_id"].iloc[i]
    assert other[clip] == p.labels[0] != plain[clip]
    assert (other.drop(clip) == plain.drop(clip)).all()


def test_input_is_raw_in_the_paper_profile_so_the_scale_is_turned_the_other_way(paper):
    assert METHODS["flow"].build(paper, NO_WEIGHTS).scaling == "raw"
    assert changed(METHODS["flow-raw_scale"], paper) == {"scaling": "standard"}


def test_updates_before_by_hand(paper):
    # 246 clips less a 26th of them, nine frames each: 67 batches of 32, 8 of the temporal stage;
    # 100 epochs; 12.5 folds before the one in the middle.
    se = METHODS["elrcn_se"].build(paper)
    assert updates_of_earlier_folds(se, PROFILES["paper"]) == 100 * (67 + 8) * 25 // 2
    te = TE.build(paper, NO_WEIGHTS)
    assert updates_of_earlier_folds(te, PROFILES["paper"]) == 100 * (3 * 67 + 8) * 25 // 2
    assert rate_left(0, TrainConfig()) == 1
    assert rate_left(1_000_000, TrainConfig(decay=1e-6)) == pytest.approx(0.5)


def test_every_method_of_a_family_has_a_deviation_and_a_base():
    for method in METHODS.values():
        assert (deviation_of(method) is None) == (base_of(method) is None)
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
