"""The registry and its runs on a smoke-sized corpus."""

import numpy as np
import pandas as pd
import pytest
import torch

from elrcn.config import PROFILES, VGGConfig
from elrcn.errors import ElrcnError
from elrcn.estimate import planned_manifest
from elrcn.evaluation import metrics
from elrcn.experiments import (
    GROUPS,
    REGISTRY,
    Options,
    experiment_names,
    plan,
    plan_manifest,
    run,
    stored_folds,
)
from elrcn.experiments.methods import TE
from elrcn.experiments.starts import initial_weights, known_weights, weights_source
from elrcn.models.networks import VGG
from elrcn.published.numbers import published_name, published_table
from elrcn.session import Session
from elrcn.workspace import Workspace


@pytest.fixture(scope="module")
def session(smoke_home):
    home = Workspace(smoke_home)
    return Session("smoke", workspace=home, device="cpu", workers=1, progress=False)


def test_tables_have_the_papers_methods_and_two_more():
    names = {name: [m.name for m in e.methods] for name, e in REGISTRY.items()}
    first, networks = ["majority", "lbp_top", "lbp_top_5x5"], ["elrcn_se", "elrcn_te"]
    assert names["table1"] == names["table2"] == [*first, "flow_sums", *networks]
    assert names["table3"] == [*first, "hog3d", "hoof", "flow_sums", *networks]
    figures = {f.paper: (e.name, f.method) for e in REGISTRY.values() for f in e.figures}
    assert figures == {
        "Figure 2": ("table2", "elrcn_se"),
        "Figure 3": ("table3", "elrcn_se"),
        "Figure 4": ("table3", "elrcn_se"),
    }


@pytest.mark.parametrize("name", ["table1", "table2", "table3"])
def test_every_method_stands_beside_a_published_row(name):
    published = published_table(REGISTRY[name].paper)
    for method in REGISTRY[name].methods:
        if method.published:
            assert published_name(method.published, published), method.name


def test_groups_and_unknown_names():
    assert experiment_names(["table3", "tables"]) == ["table3", "table1", "table2"]
    assert all(set(members) <= set(REGISTRY) for members in GROUPS.values())
    with pytest.raises(ElrcnError, match="table9"):
        experiment_names(["table9"])


def test_paper_sizes_of_the_plans():
    manifest = planned_manifest(PROFILES["paper"].corpus)
    sizes = {n: plan_manifest(n, manifest) for n in ("table1", "table2", "table3")}
    assert {n: (len(p.manifest), len(p.folds)) for n, p in sizes.items()} == {
        "table1": (246, 26),
        "table2": (253, 47),
        "table3": (253, 2),
    }


def test_planned_clips_are_those_of_the_corpus(session):
    made, planned = session.manifest.table, planned_manifest(session.profile.corpus).table
    known = ["clip_id", "subject", "emotion", "objective_class", "onset", "offset", "frames"]
    by = {"by": "clip_id", "ignore_index": True}
    pd.testing.assert_frame_equal(made[known].sort_values(**by), planned[known].sort_values(**by))


def test_holdout_scores_are_the_mean_of_both_directions(session):
    p = plan("table3", session)
    assert [f.name for f in p.folds] == ["CASME2 to SAMM", "SAMM to CASME2"]
    results = run("table3", session, ("majority", "hog3d", "hoof"))
    assert list(results) == ["majority", "hog3d", "hoof"]
    for rows in results.values():
        assert len(rows) == len(p.manifest)
        each = [metrics.pooled(part, p.classes) for _, part in rows.groupby("fold")]
        for score in ("war", "uar", "uf1", "authors_f1"):
            expected = np.mean([one[score] for one in each])
            assert p.experiment.scores(rows)[score] == pytest.approx(expected)
    figure3, figure4 = p.experiment.figures
    fake = {"elrcn_se": results["hoof"]}
    seen = p.experiment.figure_rows(figure3, fake)
    assert set(seen["subject"].str.split("/").str[0]) == {"SAMM"}
    assert len(seen) + len(p.experiment.figure_rows(figure4, fake)) == len(p.manifest)


def test_composite_scores_are_pooled(session):
    p = plan("table2", session)
    rows = run("table2", session, ("majority",))["majority"]
    assert p.experiment.scores(rows) == metrics.pooled(rows, p.classes)
    assert len(p.folds) == p.manifest.table["subject"].nunique()


def test_stored_folds_are_found_and_a_lost_one_is_missed(session):
    p = plan("table2", session)
    (method,) = p.chosen(("majority",))
    run("table2", session, ("majority",))
    assert [f.name for f in stored_folds(p, method, session)] == [f.name for f in p.folds]
    folder = next((session.workspace.runs / "table2").glob("majority-*"))
    next((folder / "folds").glob("*.csv")).unlink()
    assert len(stored_folds(p, method, session)) == len(p.folds) - 1


def test_unknown_method_is_named(session):
    with pytest.raises(ElrcnError, match="Table I has no method 'hoof'"):
        run("table1", session, ("hoof",))


def test_weights_of_the_paper_profile(tmp_path, monkeypatch):
    monkeypatch.delenv("ELRCN_VGGFACE", raising=False)
    paper = Session("paper", workspace=Workspace(tmp_path), device="cpu", progress=False)
    with pytest.raises(ElrcnError, match="no file was given") as error:
        weights_source(paper, Options())
    for said in ("Visual Geometry Group", "--vggface", "ELRCN_VGGFACE", "--pretrained synthetic"):
        assert said in str(error.value)
    assert weights_source(paper, Options("synthetic")) == "synthetic"
    assert initial_weights(paper, Options("none")) is None
    monkeypatch.setenv("ELRCN_VGGFACE", str(tmp_path / "lost.t7"))
    with pytest.raises(ElrcnError, match="no VGG-Face weights file"):
        weights_source(paper, Options())
    # Smaller profiles are not disturbed by the variable.
    smoke = Session("smoke", workspace=Workspace(tmp_path), device="cpu", progress=False)
    assert weights_source(smoke, Options()) == "synthetic"
    with pytest.raises(ElrcnError, match="full VGG-16 only"):
        weights_source(smoke, Options("vggface"))


def test_vggface_file_is_converted_once_and_found_again(tmp_path, monkeypatch):
    """The way of the paper profile, with a network small enough for a test."""
    small = VGGConfig(size=8, convs=(1, 1), widths=(4, 6), fc=10)
    monkeypatch.setattr("elrcn.experiments.starts.VGGConfig", lambda: small)
    paper = Session("paper", workspace=Workspace(tmp_path), device="cpu", progress=False)
    from dataclasses import replace

    paper.profile = replace(paper.profile, vgg=small)
    torch.save(VGG(small, 3, 7).state_dict(), tmp_path / "vgg_face_dag.pth")
    options = Options(vggface=str(tmp_path / "vgg_face_dag.pth"))
    assert known_weights(paper, options) == []
    path = initial_weights(paper, options)
    assert path.is_file() and path.name.startswith("vggface-")
    assert known_weights(paper, options) == [path]
    te = TE.build(paper, options)
    assert te.pretrained == str(path)


def test_three_seeds_in_tables_one_and_three_and_one_in_table_two(session):
    assert {n: len(REGISTRY[n].seeds) for n in GROUPS["tables"]} == {
        "table1": 3, "table2": 1, "table3": 3,
    }  # fmt: skip
    assert all(e.seeds == (0,) for n, e in REGISTRY.items() if n not in ("table1", "table3"))
    p = plan("table1", session)
    assert {m.name: len(p.seeded(m)) for m in p.methods} == {
        "majority": 1, "lbp_top": 1, "lbp_top_5x5": 1, "flow_sums": 1, "elrcn_se": 3, "elrcn_te": 3,
    }  # fmt: skip
    assert [m.label for m in p.seeded(p.methods[-1])] == [f"ELRCN-TE, seed {k}" for k in range(3)]
    assert [m.seed for m in plan("table1", session, 2).seeded(p.methods[-1])] == [0, 1]


@pytest.mark.slow
def test_every_seed_is_a_run_of_its_own_and_the_first_is_the_run_of_one_seed(session):
    p = plan("table3", session)
    rows = run("table3", session, ("elrcn_te", "lbp_top"))
    te, clips = rows["elrcn_te"], len(p.manifest)
    assert te["seed"].tolist() == sorted([0, 1, 2] * clips)
    assert len(list((session.workspace.runs / "table3").glob("elrcn_te-*"))) == 3
    assert set(rows["lbp_top"]["seed"]) == {0} and len(rows["lbp_top"]) == clips
    (alone,) = run("table3", session, ("elrcn_te",), seeds=1).values()
    parts = metrics.by_seed(te)
    pd.testing.assert_frame_equal(alone, parts[0].reset_index(drop=True))
    chances = [c for c in te if c.startswith("p_")]
    assert not np.allclose(parts[0][chances], parts[1][chances])
    # One pretraining serves all seeds: the streams of every seed start from the same file.
    assert len(list((session.workspace.cache / "pretrained").glob("*.safetensors"))) == 1
    scores = p.experiment.scores(te)
    each = [p.experiment.scores(part)["uar"] for part in parts.values()]
    assert scores["uar"] == pytest.approx(np.mean(each))
    # A seed given to the session moves all of them: seed 0 + 1 is the second of these.
    other = Session("smoke", workspace=session.workspace, device="cpu", workers=1, seed=1,
                    progress=False)  # fmt: skip
    (moved,) = run("table3", other, ("elrcn_te",), seeds=1).values()
    pd.testing.assert_frame_equal(
        moved.drop(columns="seed"), parts[1].reset_index(drop=True).drop(columns="seed")
    )
