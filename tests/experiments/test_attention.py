"""Figure 9: masks lie where the frames show the skin, and the networks are those of the tables."""

from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from elrcn.cli import main
from elrcn.errors import ElrcnError
from elrcn.experiments import REGISTRY, attention, plan, run
from elrcn.experiments.attention import (
    crops_of_all,
    frame_mask,
    input_mask,
    input_masks,
    measure_protocol,
    stored_maps,
    subject_means,
    summarise,
)
from elrcn.preprocess.clips import read_clip, resize
from elrcn.session import Session
from elrcn.workspace import Workspace


def smoke_session(home):
    return Session("smoke", workspace=Workspace(home), device="cpu", workers=1, progress=False)


@pytest.fixture(scope="module")
def session(smoke_home):
    return smoke_session(smoke_home)


@pytest.fixture(scope="module")
def loso(session):
    """Rows under LOSO, measured after Table I has trained its networks."""
    run("table1", session, ("elrcn_se",))
    store = session.workspace.cache / "spatial"
    before = {path.name for path in store.iterdir()}
    rows = measure_protocol(session, "LOSO")
    return rows, before, {path.name for path in store.iterdir()}


def test_networks_are_those_of_the_table(session, loso):
    rows, before, after = loso
    assert before and after == before
    p = plan("table1", session)
    assert set(rows["clip_id"]) == set(p.manifest.table["clip_id"])
    # Every clip is shown to the network of the fold that left its subject out.
    assert (rows["fold"] == rows["subject"]).all()
    assert rows.groupby("maps").size().to_dict() == dict.fromkeys(
        ("trained", "other", "untrained", "random"), len(p.manifest)
    )
    scores = rows[["hit", "hit_tolerant", "energy", "mask_share"]]
    assert scores.notna().all(axis=None) and scores.ge(0).all(axis=None)
    assert scores.le(1).all(axis=None)
    assert (rows["hit_tolerant"] >= rows["hit"]).all() and rows["hit_tolerant_true"].notna().any()
    same = rows[rows["right"] & rows["maps"].isin(["trained", "untrained"])]
    np.testing.assert_array_equal(same["energy"], same["energy_true"])
    trained, untrained = (rows[rows["maps"] == kind] for kind in ("trained", "untrained"))
    assert (trained["energy"].to_numpy() != untrained["energy"].to_numpy()).any()


def test_finished_folds_are_not_computed_again(session, loso, monkeypatch):
    rows, _, _ = loso
    monkeypatch.setattr(attention, "_run_fold", None)
    pd.testing.assert_frame_equal(measure_protocol(session, "LOSO"), rows)
    maps = stored_maps(session, "LOSO")
    assert set(maps) == set(rows["clip_id"])
    size = session.profile.preprocess.size
    assert all(m.shape == (size, size) and 0 <= m.min() and m.max() <= 1 for m in maps.values())


def test_a_lost_fold_is_computed_again_and_the_same(session, loso, monkeypatch):
    rows, _, _ = loso
    (folder,) = (session.workspace.runs / "figure9").glob("loso-*")
    next((folder / "folds").glob("*.csv")).unlink()
    next(folder.glob("maps-*.npy")).unlink()
    done, compute = [], attention._run_fold

    def counted(*arguments):
        done.append(compute(*arguments))

    monkeypatch.setattr(attention, "_run_fold", counted)
    pd.testing.assert_frame_equal(measure_protocol(session, "LOSO"), rows)
    assert 1 <= len(done) <= 2


def test_other_data_have_maps_and_no_scores(smoke_home, loso, monkeypatch):
    monkeypatch.setattr(Session, "corpus_root", None)
    session = smoke_session(smoke_home)
    with pytest.raises(ElrcnError, match="elrcn run figure9"):
        stored_maps(session, "LOSO")
    table = measure_protocol(session, "LOSO")
    assert table[["hit", "hit_tolerant", "energy", "mask_share"]].isna().all(axis=None)
    assert summarise(table).empty
    assert len(stored_maps(session, "LOSO")) == table["clip_id"].nunique()


def test_masks_follow_the_crop(session, tmp_path):
    p, config = plan("table2", session), session.profile.preprocess
    crops = crops_of_all(p.manifest, session)
    i = next(i for i, crop in enumerate(crops) if crop)
    crop, height, width = crops[i][0], 1000, 1000
    # A square about a point of the crop a quarter from its left, three quarters from its top.
    x, y = crop.to_frame([0.25 * crop.width, 0.75 * crop.height]).round().astype(int)
    square = np.zeros((height, width), bool)
    square[y - 30 : y + 31, x - 30 : x + 31] = True
    truth = SimpleNamespace(width=width, height=height, masks={12: square})
    rows, columns = np.nonzero(input_mask(truth, crops[i], config))
    assert columns.mean() + 0.5 == pytest.approx(0.25 * config.size, abs=0.7)
    assert rows.mean() + 0.5 == pytest.approx(0.75 * config.size, abs=0.7)
    # A film of the mask, preprocessed as the clip's frames are, is the mask of the input.
    cv2.imwrite(str(tmp_path / "0.png"), 255 * square.astype(np.uint8))
    film = read_clip([tmp_path / "0.png"], config.flow_size, crops=crops[i])[0]
    film = resize(film, config.size) >= 127.5
    np.testing.assert_array_equal(film, input_mask(truth, crops[i], config))
    assert frame_mask(truth).shape == (height, width)
    assert frame_mask(truth, crops[i]).shape == (crop.height, crop.width)


def test_strain_gathers_in_the_masks(session):
    """The skin stretches where the corpus says that it does: frames and masks share a grid."""
    p = plan("table2", session)
    X, masks = session.clips(p.manifest), input_masks(p.manifest, session)
    strain = [X[i][:, 3].mean(0) for i in range(len(X))]
    own = [s[m].mean() / s.mean() for s, m in zip(strain, masks, strict=True)]
    flipped = [s[m[:, ::-1].T].mean() / s.mean() for s, m in zip(strain, masks, strict=True)]
    assert np.mean(own) > 1.04 > np.mean(flipped)


def table_by_hand(times=3):
    """Two subjects, three clips: trained maps hit for a and b, untrained ones for none.

    The same `times` over, each time with other subjects: six are enough for intervals.
    """
    clips = pd.DataFrame({"clip_id": list("abc"), "subject": ["s", "s", "t"], "mask_share": 0.25})
    clips["true"] = ["others", "others", "disgust"]
    hits = {"trained": [1, 1, 0], "other": [0, 1, np.nan], "untrained": [0.0] * 3}
    energy = {"trained": [0.5, 0.5, 0.3], "other": [0.3, 0.5, np.nan], "untrained": [0.2] * 3}
    near = hits | {"trained": [1, 0, 1]}
    parts = [
        clips.assign(maps=k, hit=hits[k], hit_tolerant=near[k], energy=energy[k]) for k in hits
    ]
    table = pd.concat(parts).assign(protocol="LOSO")
    named = ["clip_id", "subject"]
    return pd.concat([table.assign(**{c: table[c] + str(k) for c in named}) for k in range(times)])


def test_summary_of_a_small_table():
    short = summarise(table_by_hand(), draws=500).set_index("maps")
    assert list(short.index) == [
        "trained", "other", "untrained", "trained - other", "trained - untrained"
    ]  # fmt: skip
    row = short.loc["trained"]
    assert row["hit"] == pytest.approx(2 / 3) and row["energy"] == pytest.approx(1.3 / 3)
    # Some resamples hold no subject like t, or none like s.
    assert (row["hit_low"], row["hit_high"]) == (0, 1)
    assert row[["energy_low", "energy_high"]].tolist() == pytest.approx([0.3, 0.5])
    assert (row["clips"], row["subjects"], row["mask_share"]) == (9, 6, 0.25)
    gap = short.loc["trained - untrained"]
    assert gap[["energy", "energy_low", "energy_high"]].tolist() == pytest.approx(
        [1.3 / 3 - 0.2, 0.1, 0.3]
    )
    # Differences are over the clips that both kinds have.
    assert short.loc["trained - other", "clips"] == 6
    assert short.loc["trained - other", "hit"] == 0.5
    few = summarise(table_by_hand(2), draws=500).set_index("maps")
    assert few["hit"].equals(short["hit"]) and few[["hit_low", "energy_high"]].isna().all(axis=None)


def test_hits_with_tolerance_are_averaged_by_class():
    short = summarise(table_by_hand(), draws=500).set_index("maps")
    row = short.loc["trained"]
    # Clips: 1, 0 of "others" and 1 of "disgust".
    assert row["hit_tolerant"] == pytest.approx(2 / 3)
    assert row["hit_by_class"] == pytest.approx((1 / 2 + 1) / 2)
    # Resamples without one of the two classes have the mean over the other.
    assert row[["hit_by_class_low", "hit_by_class_high"]].tolist() == [0.5, 1]
    assert short.loc["trained - untrained", "hit_by_class"] == row["hit_by_class"]
    means = subject_means(np.array([[1.0], [0.0], [1.0]]), list("sst"), 200, 0, list("oot"))
    assert set(means.ravel()) == {0.5, 0.75, 1.0}


def test_maps_are_scored_with_and_without_tolerance():
    mask, cam = np.zeros((24, 24), bool), np.zeros((24, 24))
    mask[5:10, 5:10], cam[10, 7], cam[6, 6] = True, 3, 1
    scores = attention._map_scores({"trained": cam[None], "random": ()}, mask)
    assert scores["trained_hit"] == 0 and scores["trained_hit_tolerant"] == 1
    assert scores["trained_energy"] == 0.25 and np.isnan(scores["random_hit_tolerant"])


def test_subjects_are_resampled_whole():
    values = np.array([[0.0], [0.0], [0.0], [1.0]])
    means = subject_means(values, ["s", "s", "s", "t"], draws=200)
    assert set(means.ravel()) == {0.0, 0.25, 1.0}


def test_command_line_prints_the_summary(session, loso, monkeypatch, capsys):
    monkeypatch.setenv("ELRCN_HOME", str(session.workspace.root))
    experiment = REGISTRY["figure9"]
    assert experiment.maps and experiment.page == "gradcam"
    with pytest.raises(SystemExit) as end:
        main("run figure9 --profile smoke --device cpu --workers 1 --quiet".split())
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert "trained - untrained" in out and "LOSO" in out and "CDE" in out
    with pytest.raises(SystemExit):
        main(["list"])
    assert "measured on: elrcn_se" in capsys.readouterr().out
