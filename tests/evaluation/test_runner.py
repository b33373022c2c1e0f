import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from evaluation_tasks import CLASSES, Centroid, build_task
from joblib import parallel_config
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import pooled
from elrcn.evaluation.protocols import hde_folds, loso_folds
from elrcn.evaluation.runner import fold_seed, run_protocol, seeded_clone
from elrcn.evaluation.store import RunStore
from elrcn.experiments.plans import convergence_note
from elrcn.features.base import ClipDescriptor, LinearSVM

CARD = {"experiment": "test", "seed": 7}


def run(folder, task, estimator=None, folds=loso_folds, **options):
    if estimator is None:
        estimator = make_pipeline(StandardScaler(), LogisticRegression())
    options = {"classes": CLASSES, "progress": False, "threads": 1} | options
    return run_protocol(
        estimator,
        task.X,
        task.manifest,
        task.labels,
        folds(task.manifest),
        RunStore(folder, CARD),
        **options,
    )


def test_rows_are_one_a_clip_and_learn_something(tmp_path, task):
    rows = run(tmp_path, task)
    assert sorted(rows["clip_id"]) == sorted(task.manifest.table["clip_id"])
    assert list(rows.columns[:6]) == ["run", "fold", "clip_id", "subject", "true", "predicted"]
    truth = dict(zip(task.manifest.table["clip_id"], task.labels, strict=True))
    assert (rows["true"] == rows["clip_id"].map(truth)).all()
    assert (rows["fold"] == rows["subject"]).all()
    np.testing.assert_allclose(rows[["p_I", "p_II", "p_III"]].sum(axis=1), 1)
    assert pooled(rows)["uar"] > 0.6
    timing = RunStore(tmp_path).timing()
    assert set(timing["fold"]) == set(rows["fold"]) and (timing["fit_s"] >= 0).all()


@pytest.mark.parametrize("how", ["processes", "threads", "outer"])
def test_rows_do_not_depend_on_workers(tmp_path, task, how):
    forest = RandomForestClassifier(5, random_state=0)
    alone = run(tmp_path / "a", task, forest)
    if how == "outer":
        with parallel_config("threading", n_jobs=3):
            other = run(tmp_path / "b", task, forest)
    elif how == "threads":
        with parallel_config("threading"):
            other = run(tmp_path / "b", task, forest, workers=2)
    else:
        other = run(tmp_path / "b", task, forest, workers=2)
    pd.testing.assert_frame_equal(alone, other, check_exact=True)
    texts = [sorted(p.read_bytes() for p in (tmp_path / x / "folds").iterdir()) for x in "ab"]
    assert texts[0] == texts[1]


def test_a_second_run_trains_nothing(tmp_path, task):
    first = run(tmp_path, task)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "folds").iterdir()}
    again = run(tmp_path, task, estimator=LogisticRegression(C=-1))  # would fail if it were fitted
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert files == {p: p.stat().st_mtime_ns for p in (tmp_path / "folds").iterdir()}


def test_only_a_damaged_fold_is_done_again(tmp_path, task):
    first = run(tmp_path, task)
    paths = sorted((tmp_path / "folds").iterdir())
    paths[1].write_bytes(paths[1].read_bytes()[:-20])
    before = {p: p.stat().st_mtime_ns for p in paths}
    again = run(tmp_path, task)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert [p.stat().st_mtime_ns != before[p] for p in paths] == [i == 1 for i in range(len(paths))]


def test_seed_comes_from_the_run_and_the_fold_only(tmp_path, task):
    assert fold_seed(7, "CASME2/01") == fold_seed(7, "CASME2/01")
    assert len({fold_seed(s, f) for s in range(3) for f in ("a", "b", "c")}) == 9
    nested = seeded_clone(make_pipeline(StandardScaler(), RandomForestClassifier()), 5)
    assert nested.get_params()["randomforestclassifier__random_state"] == 5
    forest = RandomForestClassifier(5)
    folds = loso_folds(task.manifest)
    whole = run(tmp_path / "a", task, forest)
    part = run(tmp_path / "b", task, forest, folds=lambda _: folds[::-1][:2])
    same = whole.set_index("clip_id").loc[part["clip_id"]].reset_index()
    pd.testing.assert_frame_equal(same[part.columns].astype(part.dtypes), part, check_exact=True)
    other = run(tmp_path / "c", task, forest, seed=8)
    assert not other["p_I"].equals(whole["p_I"])


def test_a_class_absent_from_training_gets_probability_zero(tmp_path, task):
    samm = task.manifest.table["database"] == "SAMM"
    task.labels[samm & (task.labels == "III")] = "II"
    rows = run(tmp_path, task, folds=hde_folds)
    back = rows[rows["fold"] == "SAMM to CASME2"]
    assert (back["p_III"] == 0).all() and (back["true"] == "III").any()
    np.testing.assert_allclose(back[["p_I", "p_II"]].sum(axis=1), 1)


def test_mistakes_are_said_before_anything_is_written(tmp_path, task):
    with pytest.raises(ElrcnError, match="not classes"):
        run(tmp_path / "a", task, classes=["I", "II"])
    short = build_task()
    short.X = short.X[1:]
    with pytest.raises(ElrcnError, match="cannot be paired"):
        run(tmp_path / "b", short)
    assert not list(tmp_path.rglob("*.csv"))
    run(tmp_path / "c", task)
    with pytest.raises(ElrcnError, match="other folds"):
        run(tmp_path / "c", task, folds=hde_folds)
    with pytest.raises(ElrcnError, match="diverged"):
        run(tmp_path / "d", task, Centroid(broken=True))


@pytest.mark.filterwarnings("error")
def test_svms_that_stop_are_told_once(tmp_path, task):
    task.labels = np.random.default_rng(0).permutation(task.labels)
    methods = [SimpleNamespace(name=n, label=f"{n} + SVM", published="", group="") for n in "ab"]
    machines = {"a": LinearSVM(max_iter=2), "b": LinearSVM(C=1.0)}

    def results():
        return {n: run(tmp_path / n, task, make_pipeline(m)) for n, m in machines.items()}

    first = results()
    again = results()  # from the disk
    note = "SVMs that stopped at their limit of iterations: a + SVM in 5 of 5 folds."
    for found in (first, again):
        assert found["a"].attrs["unconverged"] == list(dict.fromkeys(found["a"]["fold"]))
        assert convergence_note(found, methods) == note
    part = {n: rows[rows["fold"] == "SAMM/006"] for n, rows in again.items()}
    assert "a + SVM in 1 of 1 folds" in convergence_note(part, methods)
    assert convergence_note({"b": again["b"]}, methods) == ""


class Doubled(ClipDescriptor):
    """Describes a clip by twice its mean frame, and counts how often it is asked."""

    asked = 0

    def __init__(self, progress=False):
        self.progress = progress

    def describe(self, clip):
        Doubled.asked += 1
        return 2 * clip.mean(axis=(0, 1)).ravel().astype(float)


def test_clips_are_described_once_and_the_rows_are_the_same(tmp_path, task):
    task.X = np.random.default_rng(0).normal(size=(30, 3, 1, 2, 4)) + task.X.reshape(30, 1, 1, 2, 4)
    once = run(tmp_path / "once", task, make_pipeline(Doubled(), Centroid()))
    assert Doubled.asked == 30
    run(tmp_path / "once", task, make_pipeline(Doubled(), Centroid()))
    assert Doubled.asked == 30
    # A pipeline inside a pipeline is left as it is: each fold describes its own clips.
    each = run(tmp_path / "each", task, make_pipeline(make_pipeline(Doubled()), Centroid()))
    assert Doubled.asked == 30 + 5 * 30
    pd.testing.assert_frame_equal(once, each, check_exact=True)


_PROGRAM = """
    import sys
    sys.path.insert(0, {here!r})
    from evaluation_tasks import CLASSES, Centroid, build_task
    from elrcn.evaluation.protocols import loso_folds
    from elrcn.evaluation.runner import run_protocol
    from elrcn.evaluation.store import RunStore
    if __name__ == "__main__":
        task = build_task()
        run_protocol(Centroid(pause=0.3), task.X, task.manifest, task.labels,
                     loso_folds(task.manifest), RunStore(sys.argv[1], {card!r}),
                     workers=int(sys.argv[2]), classes=CLASSES, progress=False, threads=1)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_resumed_gives_the_rows_of_an_unbroken_run(tmp_path, task, workers):
    unbroken = run(tmp_path / "whole", task, Centroid())
    program = tmp_path / "program.py"
    here = str(Path(__file__).parent)
    program.write_text(textwrap.dedent(_PROGRAM.format(here=here, card=CARD)))
    folder = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, str(program), str(folder), str(workers)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 150
        while not list(folder.glob("folds/*.csv")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    store = RunStore(folder, CARD)
    assert 1 <= sum(store.read_fold(name) is not None for name in store.planned()) < 5
    kept = {p: p.stat().st_mtime_ns for p in folder.glob("folds/*.csv")}
    resumed = run(folder, task, Centroid())
    pd.testing.assert_frame_equal(unbroken, resumed, check_exact=True)
    assert kept.items() <= {p: p.stat().st_mtime_ns for p in folder.glob("folds/*.csv")}.items()


def test_damaged_rows_are_named_and_computed_again(tmp_path, task, corruptions):
    expected = run(tmp_path, task)
    store = RunStore(tmp_path)
    path = store.path(store.planned()[0])
    good = path.read_bytes()
    for i, data in enumerate(corruptions(good)):
        path.write_bytes(data)
        if store.read_fold(store.planned()[0]) is not None:
            continue  # the last line break
        with pytest.warns(RuntimeWarning, match=path.name):
            pd.testing.assert_frame_equal(run(tmp_path, task), expected, obj=str(i))
        assert path.read_bytes() == good
