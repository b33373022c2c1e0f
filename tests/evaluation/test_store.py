import multiprocessing
import os
import time

import numpy as np
import pandas as pd
import pytest

from elrcn import files
from elrcn.errors import ElrcnError
from elrcn.evaluation.store import RunStore

CARD = {"experiment": "table1", "config": "abc", "seed": 3}


def rows_of(*clips, value=0.1):
    return pd.DataFrame(
        {
            "clip_id": clips,
            "subject": [c.split("/")[0] for c in clips],
            "true": "a",
            "predicted": "b",
            "p_a": value,
            "p_b": 1 - value,
        }
    )


def done(store):
    """Names of the folds whose rows are stored and whole, in order."""
    return [name for name in store.planned() if store.read_fold(name) is not None]


def test_numbers_and_text_survive_the_disk(tmp_path):
    store = RunStore(tmp_path / "run", CARD)
    values = np.random.default_rng(0).random(50)
    values[:3] = [1e-300, 1 / 3, np.float32(0.1)]
    rows = rows_of(*(f"01/clip{i}" for i in range(50)))
    rows["p_a"], rows["subject"] = values, "007"
    store.plan(["CASME2/01"])
    store.write_fold("CASME2/01", rows)
    back = RunStore(tmp_path / "run").rows()
    assert list(back.columns) == [
        "run", "fold", "clip_id", "subject", "true", "predicted", "p_a", "p_b",
    ]  # fmt: skip
    assert (back["p_a"].to_numpy() == values).all()
    assert (back["subject"] == "007").all() and (back["run"] == "table1").all()
    assert (back["fold"] == "CASME2/01").all()


def test_rows_come_in_the_planned_order_whatever_was_written_first(tmp_path):
    store = RunStore(tmp_path, CARD)
    store.plan(["z", "a", "m"])
    for name in ("m", "z"):
        store.write_fold(name, rows_of(f"{name}/1"))
    assert done(store) == ["z", "m"]
    with pytest.raises(ElrcnError, match="not finished: 1 folds"):
        store.rows()
    store.write_fold("a", rows_of("a/1"))
    assert list(store.rows()["fold"]) == ["z", "a", "m"]


def test_another_card_or_another_plan_is_refused(tmp_path):
    store = RunStore(tmp_path, CARD)
    store.plan(["a", "b"])
    assert RunStore(tmp_path, dict(reversed(CARD.items()))).card == CARD
    assert RunStore(tmp_path).run == "table1"
    with pytest.raises(ElrcnError, match="seed: 3 there, 4 now"):
        RunStore(tmp_path, CARD | {"seed": 4})
    with pytest.raises(ElrcnError, match="other folds"):
        store.plan(["a"])
    with pytest.raises(ElrcnError, match="no run"):
        RunStore(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("damage", ["cut", "edit", "empty", "line", "binary"])
def test_a_damaged_fold_counts_as_missing(tmp_path, damage):
    store = RunStore(tmp_path, CARD)
    store.plan(["a", "b"])
    store.write_fold("a", rows_of("a/1", "a/2"))
    store.write_fold("b", rows_of("b/1"))
    path = next((tmp_path / "folds").glob("a-*.csv"))
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    path.write_bytes(
        {
            "cut": data[: len(data) // 2],
            "edit": data.replace(b"0.1", b"0.2", 1),
            "empty": b"",
            "line": b"".join(lines[:1] + lines[2:]),
            "binary": b"\xff\xfe\x00" * 40,
        }[damage]
    )
    assert store.read_fold("a") is None
    assert done(store) == ["b"]
    with pytest.raises(ElrcnError, match="first: a"):
        store.rows()
    store.write_fold("a", rows_of("a/1", "a/2"))
    assert len(store.rows()) == 3


def test_leftovers_are_ignored_and_old_ones_swept(tmp_path):
    store = RunStore(tmp_path, CARD)
    store.plan(["a"])
    store.write_fold("a", rows_of("a/1"))
    new, old = (tmp_path / "folds" / f".b.csv.{n}.part" for n in ("new", "old"))
    for path in (new, old):
        path.write_text("run,fold")
    os.utime(old, (time.time() - 7200,) * 2)
    assert done(RunStore(tmp_path, CARD)) == ["a"]
    assert new.exists() and not old.exists()


def test_names_that_look_alike_do_not_share_a_file(tmp_path):
    store = RunStore(tmp_path, CARD)
    names = ["CASME2/01", "CASME2_01", "CASME2 01", "\u00e4", "../x"]
    store.plan(names)
    for name in names:
        store.write_fold(name, rows_of(f"{name}!"))
    assert sorted(done(store)) == sorted(names)
    assert {p.parent for p in tmp_path.rglob("*.csv")} == {tmp_path / "folds"}


def test_a_full_disk_is_said_in_one_message_and_leaves_nothing(tmp_path, monkeypatch):
    store = RunStore(tmp_path, CARD)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ElrcnError, match="No space left"):
        store.write_fold("a", rows_of("a/1"))
    assert not list((tmp_path / "folds").iterdir())


def test_timing_is_beside_the_rows(tmp_path):
    store = RunStore(tmp_path, CARD)
    assert store.timing().empty
    store.add_timing("CASME2/01", fit_s=1.25, predict_s=0.5)
    store.add_timing("CASME2/02", fit_s=2, predict_s=0.5)
    store.add_timing("CASME2/01", fit_s=1.5, predict_s=0.5)
    timing = store.timing().set_index("fold")
    assert len(timing) == 2 and timing.loc["CASME2/01", "fit_s"] == 1.5


def test_rows_of_another_run_or_of_no_planned_fold_are_not_read(tmp_path):
    store = RunStore(tmp_path / "one", CARD)
    store.plan(["a", "b"])
    other = RunStore(tmp_path / "two", CARD | {"seed": 4})
    other.plan(["a", "b", "c"])
    for name in ("a", "b", "c"):
        other.write_fold(name, rows_of(f"{name}/1", value=0.9))
    store.write_fold("a", rows_of("a/1"))
    store.write_fold("c", rows_of("c/1"))  # whole and its own, but planned by nobody
    assert done(store) == ["a"]
    store.write_fold("b", rows_of("b/1"))
    assert list(store.rows()["fold"]) == ["a", "b"]
    for path in (tmp_path / "two" / "folds").iterdir():
        (tmp_path / "one" / "folds" / path.name).write_bytes(path.read_bytes())
    assert done(store) == []


def test_times_heal_whatever_order_an_earlier_version_left_them_in(tmp_path):
    store = RunStore(tmp_path, CARD)
    (tmp_path / "timing.csv").write_text("g2,0.1,0.1\nfold,fit_s,predict_s\ng1,2,0.5\ng3,1\n")
    assert store.timing()["fold"].tolist() == ["g2", "g1"]
    store.add_timing("g4", fit_s=1, predict_s=0.25)
    assert (tmp_path / "timing.csv").read_text().startswith("fold,fit_s,predict_s\n")
    assert store.timing().set_index("fold")["fit_s"].to_dict() == {"g2": 0.1, "g1": 2, "g4": 1}
    for damaged in (b"", b"\xff\xfe\x00", b"g1,2\n", b"fold,fit_s,fit_s\nA,1,2\n"):
        (tmp_path / "timing.csv").write_bytes(damaged)
        assert store.timing().empty


def _add_times(folder, names):
    store = RunStore(folder)
    for name in names:
        store.add_timing(name, fit_s=1)


def test_folds_that_end_together_all_leave_their_time(tmp_path):
    RunStore(tmp_path, CARD)
    context = multiprocessing.get_context("fork")
    names = [[f"{i}-{j}" for j in range(5)] for i in range(3)]
    processes = [context.Process(target=_add_times, args=(tmp_path, n)) for n in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(RunStore(tmp_path).timing()["fold"]) == sorted(n for own in names for n in own)


@pytest.mark.filterwarnings("ignore:.*made again")
@pytest.mark.parametrize("data", [b"[]", b"null", b"[" * 100_000, b"", b"\xff\xfe", b"{}", None])
@pytest.mark.parametrize("name", ["run.json", "plan.json"])
def test_a_damaged_card_or_plan_is_written_again_and_keeps_the_folds(tmp_path, name, data):
    store = RunStore(tmp_path, CARD)
    store.plan(["a", "b"])
    store.write_fold("a", rows_of("a/1"))
    good = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if data is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(data)
    if name == "run.json":
        with pytest.raises(ElrcnError, match="cannot be read"):
            RunStore(tmp_path)
    else:
        with pytest.raises(ElrcnError, match="not finished"):
            RunStore(tmp_path).rows()
    again = RunStore(tmp_path, CARD)
    again.plan(["a", "b"])
    assert (tmp_path / name).read_bytes() == good
    assert done(again) == ["a"]


def test_an_edited_card_or_a_shortened_plan_is_noticed(tmp_path):
    store = RunStore(tmp_path, CARD)
    store.plan(["a", "b"])
    plan, card = tmp_path / "plan.json", tmp_path / "run.json"
    plan.write_text(plan.read_text().replace(',\n  "b"', ""))
    assert store.planned() == []
    card.write_text(card.read_text().replace('"seed": 3', '"seed": 4'))
    with pytest.raises(ElrcnError, match="cannot be read"):
        RunStore(tmp_path)
