"""Section V's experiments: what changes with T and with augmentation, and what does not."""

from dataclasses import replace

import numpy as np
import pytest

from elrcn.config import PROFILES
from elrcn.experiments import REGISTRY, Options, plan, run, stored_folds
from elrcn.experiments.methods import SE, TE
from elrcn.experiments.more_data import (
    LENGTHS,
    MOST_FRAMES,
    SHARE,
    tim_lengths,
    tim_preprocess,
    tim_settings,
    tim_train,
)
from elrcn.session import Session
from elrcn.workspace import Workspace

TIM, AUGMENTATION = REGISTRY["tim"], REGISTRY["augmentation"]
NONE = Options("none")


@pytest.fixture
def session(smoke_home):
    home = Workspace(smoke_home)
    return Session("smoke", workspace=home, device="cpu", workers=1, progress=False)


def of(profile, tmp_path):
    return Session(profile, workspace=Workspace(tmp_path), device="cpu", progress=False)


def test_both_networks_at_every_length_and_with_and_without_augmentation():
    lengths = tim_lengths(PROFILES["paper"])
    assert set(lengths.values()) == {(m.label, n) for m in (SE, TE) for n in LENGTHS}
    assert {m.label for m in TIM.methods} == {"Largest training class", *lengths}
    assert "ELRCN-TE, T = 10" not in tim_lengths(PROFILES["demo"])
    names = [m.name for m in AUGMENTATION.methods]
    expected = ["elrcn_se", "elrcn_se_augmented", "elrcn_te", "elrcn_te_augmented"]
    assert names[1:] == expected
    assert all(m.published == "" for e in (TIM, AUGMENTATION) for m in e.methods)


def test_networks_see_about_as_many_frames_at_every_length():
    for name in ("smoke", "demo"):
        profile = PROFILES[name]
        config = profile.preprocess
        for train in (profile.spatial_train, profile.finetune_train):
            seen = {
                n: tim_train(train, config, n).max_epochs * ((n or MOST_FRAMES) - 1)
                for n in LENGTHS
            }
            wanted = SHARE * 9 * train.max_epochs
            for n, frames in seen.items():
                # Whole epochs only: up to one more.
                assert -1e-6 <= frames - wanted < (n or MOST_FRAMES) - 1


def test_the_papers_size_changes_nothing_but_the_length(tmp_path):
    paper = PROFILES["paper"].preprocess
    for method in TIM.methods[1:]:
        length = tim_lengths(PROFILES["paper"])[method.label][1]
        config = method.preprocess(paper)
        assert config == tim_preprocess(paper, length)
        assert (config.tim_length, config.flow_size, config.max_frames) == (length, 224, 0)
    session = of("paper", tmp_path)
    base = TE.build(session, NONE)
    for method in TIM.methods[-5:]:
        built = method.build(session, NONE)
        assert repr(built.get_params()) == repr(base.get_params())
    twice = AUGMENTATION.methods[-1].build(session, NONE)
    assert repr(twice.estimator.get_params()) == repr(base.get_params())
    assert set(tim_settings(session)["streams of the other"]) == {"flow, strain, grey"}


def test_small_profiles_make_as_many_updates_with_augmentation(tmp_path):
    session = of("demo", tmp_path)
    plain, wrapped = SE.build(session, NONE), AUGMENTATION.methods[2].build(session, NONE)
    assert wrapped.clips_factor == 5
    for stage in ("spatial_train", "temporal_train"):
        whole, part = getattr(plain, stage), getattr(wrapped.estimator, stage)
        assert part.max_epochs == -(-whole.max_epochs // 5) < whole.max_epochs
    longer = replace(AUGMENTATION.methods[2], change=None).build(session, NONE)
    assert longer.estimator.spatial_train == plain.spatial_train
    # The plain rows are Table I's estimators: the same networks in a shared store.
    for method, base in zip(AUGMENTATION.methods[1::2], (SE, TE), strict=True):
        same = base.build(session, NONE).get_params()
        assert repr(method.build(session, NONE).get_params()) == repr(same)
        assert method.preprocess(session.profile.preprocess) == session.profile.preprocess


def test_settings_are_told_as_they_are(session):
    table = tim_settings(session)
    assert list(table.index) == ["6", "10", "15", "20", "no TIM"]
    assert table.loc["no TIM", "frames at most"] == str(MOST_FRAMES)
    assert set(table["width of the flow (px)"]) == {session.profile.preprocess.flow_size // 2}
    assert set(table["streams of the other"]) == {"flow"}


@pytest.mark.slow
def test_rows_of_every_kind_are_made_once(session):
    p = plan("tim", session)
    shapes = {}
    for method in p.chosen(("elrcn_se_t6", "elrcn_se_no_tim")):
        config = method.preprocess(session.profile.preprocess)
        shapes[method.name] = session.clips(p.manifest, config).shape
    longest = max(map(len, p.manifest.table["frames"]))
    assert shapes["elrcn_se_t6"][1] == 5
    assert shapes["elrcn_se_no_tim"][1] == min(longest, MOST_FRAMES) - 1
    rows = run("tim", session, ("elrcn_se_t6", "elrcn_te_no_tim"), NONE)
    assert all(len(r) == len(p.manifest) for r in rows.values())
    names = ("elrcn_se", "elrcn_se_augmented", "elrcn_te_augmented")
    rows = run("augmentation", session, names)
    columns = [c for c in rows["elrcn_se"] if c.startswith("p_")]
    assert all(np.allclose(r[columns].sum(axis=1), 1, atol=1e-5) for r in rows.values())
    assert not np.allclose(rows["elrcn_se"][columns], rows["elrcn_se_augmented"][columns])
    # Found again, weights nested in the wrapper included.
    p = plan("augmentation", session)
    for method in p.chosen(names):
        assert len(stored_folds(p, method, session)) == len(p.folds)
    folder = next((session.workspace.runs / "augmentation").glob("elrcn_te_augmented-*"))
    card = (folder / "run.json").read_text()
    assert str(session.workspace.root) not in card and "face-identity-" in card
