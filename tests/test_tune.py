"""The demo's settings were chosen elsewhere than on the corpus that its pages score."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from elrcn.config import PROFILES
from elrcn.errors import ElrcnError
from elrcn.session import Session
from tests import diagnose, tune

DEMO = PROFILES["demo"]


def smoke(corpus=7):
    """Return the smoke profile with a corpus of another seed."""
    profile = PROFILES["smoke"]
    return replace(profile, corpus=replace(profile.corpus, seed=corpus))


def test_the_scored_corpus_is_refused():
    with pytest.raises(ElrcnError, match=f"seed {DEMO.corpus.seed} is the one that the pages"):
        tune.tuning_session(DEMO.corpus.seed)
    with pytest.raises(ElrcnError, match="the one that the pages score"):
        tune.try_setting(1, DEMO.corpus.seed)
    with pytest.raises(ElrcnError, match="the one that the pages score"):
        diagnose.diagnose(diagnose.CASES[0], DEMO.corpus.seed)
    assert DEMO.corpus.seed not in tune.CORPORA and len(set(tune.CORPORA)) == 3


def test_another_seed_is_another_corpus_of_the_same_size():
    scored = Session("demo", progress=False)
    for corpus in tune.CORPORA:
        session = tune.tuning_session(corpus)
        assert replace(session.profile.corpus, seed=DEMO.corpus.seed) == DEMO.corpus
        assert session.embedded_folder != scored.embedded_folder


def test_named_databases_are_not_read(monkeypatch, tmp_path):
    monkeypatch.setenv("ELRCN_CASME2", str(tmp_path))
    assert tune.tuning_session(tune.CORPORA[0]).given == {}


def test_the_chosen_settings_are_the_demo():
    chosen = {s.method: s for s in tune.SETTINGS if s.chosen}
    assert len(chosen) == sum(s.chosen for s in tune.SETTINGS)  # one a method
    for method, own in (("ELRCN-SE", "spatial_train"), ("ELRCN-TE", "finetune_train")):
        profile = tune.changed(DEMO, tune.START | chosen[method].changed)
        for part in ("vgg", "temporal", "temporal_train", "pretrain_train", own):
            assert getattr(profile, part) == getattr(DEMO, part), part
    assert tune.START | chosen["ELRCN-SE"].changed | {"scaling": DEMO.scaling} == (
        tune.START | chosen["ELRCN-SE"].changed
    )


def test_the_table_holds_every_trial_once():
    trials = tune.read_trials()
    assert len(tune.SETTINGS) <= tune.MOST_SETTINGS
    expected = {(n, c) for n in range(1, len(tune.SETTINGS) + 1) for c in tune.CORPORA}
    assert sorted(map(tuple, trials[tune.KEYS].to_numpy().tolist())) == sorted(expected)
    assert trials["uar"].between(0.1, 1).all()
    for number, part in trials.groupby("setting"):
        setting = tune.SETTINGS[number - 1]
        assert set(part["method"]) == {setting.method} and set(part["chosen"]) == {setting.chosen}
        assert part["changed"].fillna("none").eq(setting.text).all()


def test_the_diagnosis_holds_every_case_on_every_corpus():
    table = diagnose.read_diagnosis()
    found = set(map(tuple, table[diagnose.KEYS].to_numpy().tolist()))
    assert {(c.question, c.case, n) for c in diagnose.CASES for n in tune.CORPORA} <= found
    assert not table.duplicated(diagnose.KEYS).any()


def test_a_dotted_name_changes_one_value():
    profile = tune.changed(DEMO, {"vgg.fc": 7, "scaling": "raw"})
    assert profile.vgg == replace(DEMO.vgg, fc=7) and profile.scaling == "raw"
    assert profile.spatial_train == DEMO.spatial_train
    with pytest.raises(TypeError):
        tune.changed(DEMO, {"vgg.depth": 3})


@pytest.mark.slow
def test_a_trial_and_a_case_run_and_read_the_corpus_of_their_seed_alone(monkeypatch, tmp_path):
    """In a workspace of its own: the smoke corpus of one seed is made, and no other."""
    (tmp_path / "data_manifest").mkdir()
    (tmp_path / "_toc.yml").touch()
    monkeypatch.setenv("ELRCN_HOME", str(tmp_path))
    monkeypatch.setitem(tune.PROFILES, "demo", smoke(2018))
    small = {"vgg.widths": (4, 8), "vgg.fc": 8, "spatial_train.max_epochs": 1}
    settings = (
        tune.Setting("ELRCN-SE", small),
        tune.Setting("ELRCN-TE", small | {"finetune_train.max_epochs": 1}),
        tune.Setting("LBP-TOP", {"blocks": (2, 2)}),
        tune.Setting("Flow sums", {"until": "middle"}, chosen=True),
    )
    monkeypatch.setattr(tune, "SETTINGS", settings)
    rows = pd.DataFrame([tune.try_setting(n, 7) for n in range(1, 5)])
    assert set(rows) == set(tune.COLUMNS) and rows["uar"].between(0, 1).all()
    assert rows["uar_votes"].notna().tolist() == [True, True, False, False]
    again = tune.try_setting(1, 7)
    assert {k: again[k] for k in ("uar", "spatial_loss", "temporal_loss")} == {
        k: rows.loc[0, k] for k in ("uar", "spatial_loss", "temporal_loss")
    }
    case = replace(diagnose.CASES[0], profile=small, standardised=True)
    found = diagnose.diagnose(case, 7)
    assert set(found) == set(diagnose.COLUMNS)
    made = [json.loads(path.read_text()) for path in tmp_path.rglob("corpus.json")]
    assert [card["config"]["seed"] for card in made] == [7]
