"""Nothing of a held-out subject reaches the model that is tested on it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from evaluation_tasks import CLASSES, Centroid, build_task
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from elrcn.config import TemporalConfig, TrainConfig, VGGConfig
from elrcn.evaluation.protocols import loso_folds
from elrcn.evaluation.runner import fold_seed, run_protocol, seeded_clone
from elrcn.evaluation.store import RunStore
from elrcn.features.flow_sums import flow_sums_svm
from elrcn.models.estimators import ELRCN, TE_STREAMS

HELD_OUT = "CASME2/02"
ESTIMATORS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "network": MLPClassifier((5,), max_iter=20, early_stopping=True, random_state=1),
    "centroid": Centroid(),
}


def weights(model):
    last = model[-1] if hasattr(model, "steps") else model
    if isinstance(last, MLPClassifier):
        return [*last.coefs_, *last.intercepts_]
    if isinstance(last, Centroid):
        return [last.centres_]
    return [last.coef_, last.intercept_, model[0].mean_, model[0].scale_]


def fitted(estimator, task, fold):
    model = seeded_clone(estimator, fold_seed(0, fold.name))
    return model.fit(task.X[fold.train], task.labels[fold.train])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_changing_the_held_out_subject_changes_no_weight(tmp_path, task, name):
    fold = next(f for f in loso_folds(task.manifest) if f.name == HELD_OUT)
    estimator = ESTIMATORS[name]

    def run(folder):
        return run_protocol(
            estimator,
            task.X,
            task.manifest,
            task.labels,
            loso_folds(task.manifest),
            RunStore(tmp_path / folder, {"seed": 0}),
            classes=CLASSES,
            progress=False,
            threads=1,
        )

    before, rows_before = weights(fitted(estimator, task, fold)), run("before")
    task.X[fold.test[1:]] = np.random.default_rng(5).normal(size=(len(fold.test) - 1, 8)) * 50
    task.labels[fold.test[1:]] = np.roll(task.labels[fold.test[1:]], 1)
    after, rows_after = weights(fitted(estimator, task, fold)), run("after")

    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    # The runner's own model answers the clip that was left alone bit for bit as before.
    untouched = task.manifest.table["clip_id"][fold.test[0]]
    pick = [r[r["clip_id"] == untouched].drop(columns="run") for r in (rows_before, rows_after)]
    pd.testing.assert_frame_equal(*pick, check_exact=True)
    # And the folds that do train on the subject notice.
    others = [r[r["fold"] != HELD_OUT]["p_I"] for r in (rows_before, rows_after)]
    assert not others[0].equals(others[1])


def test_described_clips_are_standardised_by_the_training_clips_alone(tmp_path, task):
    """All clips are described at once; mean and deviation are those of a fold's training clips."""
    stacks = np.random.default_rng(1).normal(size=(len(task.labels), 3, 5, 12, 12))
    stacks[:, :, 0] += task.X[:, 0, None, None, None] / 4
    folds = loso_folds(task.manifest)
    fold = next(f for f in folds if f.name == HELD_OUT)

    def run(folder):
        store = RunStore(tmp_path / folder, {"seed": 0})
        keep = {"classes": CLASSES, "progress": False, "threads": 1}
        rows = run_protocol(
            flow_sums_svm(), stacks, task.manifest, task.labels, folds, store, **keep
        ).set_index("clip_id")
        return rows[rows["fold"] == HELD_OUT], rows[rows["fold"] != HELD_OUT]

    before, others_before = run("before")
    expected = fitted(flow_sums_svm(), SimpleNamespace(X=stacks, labels=task.labels), fold)
    chances = expected.predict_proba(stacks[fold.test])
    np.testing.assert_array_equal(before[[f"p_{c}" for c in expected.classes_]], chances)
    stacks[fold.test[1:]] *= -30
    after, others_after = run("after")
    chances = [f"p_{c}" for c in CLASSES]
    untouched = task.manifest.table["clip_id"][fold.test[0]]
    assert after.loc[untouched, chances].equals(before.loc[untouched, chances])
    assert not after[chances].equals(before[chances])
    assert not others_after[chances].equals(others_before[chances])


TINY = {
    "vgg": VGGConfig(size=8, convs=(1,), widths=(4,), fc=6),
    "temporal": TemporalConfig(units=(5,)),
    "spatial_train": TrainConfig(lr=1e-2, max_epochs=2, batch_size=8),
    "temporal_train": TrainConfig(lr=1e-2, max_epochs=2, batch_size=8),
    "scaling": "standard",
    "device": "cpu",
    "threads": 1,
}


@pytest.mark.parametrize("streams", [("all",), TE_STREAMS])
def test_no_weight_of_elrcn_depends_on_the_held_out_subject(streams):
    task = build_task(subjects=(4, 0), clips=3)
    task.X = np.random.default_rng(0).normal(size=(len(task.labels), 3, 5, 8, 8)).astype("float32")
    fold = next(f for f in loso_folds(task.manifest) if f.name == HELD_OUT)

    def state():
        model = fitted(ELRCN(streams=streams, **TINY), task, fold)
        tensors = {
            f"{stream}.{key}": value.detach().cpu().numpy().copy()
            for stream, network in model.networks_.items()
            for key, value in network.module.state_dict().items()
        }
        for stream, network in model.networks_.items():
            tensors |= {
                f"{stream}.mean": network.encoder.mean,
                f"{stream}.std": network.encoder.std,
            }
        head = model.temporal_.state_dict()
        tensors |= {f"head.{key}": value.cpu().numpy().copy() for key, value in head.items()}
        return tensors, np.asarray(model.predict_proba(task.X[fold.train]))

    before, answers = state()
    task.X[fold.test] *= -30
    task.labels[fold.test] = np.roll(task.labels[fold.test], 1)
    after, again = state()
    assert before.keys() == after.keys() and len(before) > 10
    for key in before:
        np.testing.assert_array_equal(before[key], after[key], err_msg=key)
    np.testing.assert_array_equal(answers, again)
    # The comparison can fail: a training clip's frames do change the weights.
    task.X[fold.train[0]] *= -30
    assert any((state()[0][key] != before[key]).any() for key in before)
