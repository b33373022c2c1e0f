"""Where the demo's networks lose against a linear model, measured on the corpora of `tests.tune`.

One thing at a time is changed in the chosen settings: the steps that a network sees, its channels,
its scale, the reading of its frames, its epochs, what it starts from. Nothing is chosen by it, and
the corpus that pages score is not read. Every case is read in four ways: by the LSTM, by votes and
by the mean probability of the frames, and by a linear SVM on the mean of their fc7.

    python -m tests.diagnose             cases that the table lacks; resumes where it was stopped
    python -m tests.diagnose --only steps start
                                         these questions, again
    python -m tests.diagnose --list      what was measured
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from elrcn.config import PROFILES
from elrcn.evaluation.metrics import confusion_matrix, uar
from elrcn.evaluation.runner import fixed_threads, fold_seed, seeded_clone
from elrcn.experiments.methods import SE, TE
from elrcn.experiments.registry import EMOTION_ABLATION as TASK
from elrcn.experiments.starts import Options
from elrcn.features.base import LinearSVM
from elrcn.features.flow_sums import FlowSums
from elrcn.files import side_by_side, write
from elrcn.models.estimators import vote_shares
from tests.tune import CORPORA, changed, tuning_session

COMMITTED = Path(__file__).parents[1] / "data_manifest" / "demo_diagnosis.csv"
KEYS = ["question", "case", "corpus"]
READINGS = ["lstm", "votes", "mean", "svm"]
COLUMNS = [*KEYS, *READINGS, "spatial_loss", "temporal_loss", "core_seconds"]


def since_onset(X: np.ndarray) -> np.ndarray:
    """Replace each step's flow and strain by their sums since onset."""
    sums = X.copy()
    sums[:, :, [0, 1, 3]] = np.cumsum(X[:, :, [0, 1, 3]], axis=1)
    sums[:, :, 2] = np.hypot(sums[:, :, 0], sums[:, :, 1])
    return sums


def _half(X: np.ndarray) -> int:
    return max(1, X.shape[1] // 2)


@dataclass(frozen=True)
class Case:
    """A network and the one thing that is changed.

    Attributes
    ----------
    question, case : str
        What is asked, and the answer that is tried.
    method : {"SE", "TE"}
        Whose settings it has.
    estimator, profile : dict
        Parameters of the estimator, and values of the profile by dotted name.
    steps : callable
        Stacks (clips, T - 1, 5, H, W) -> those that the network sees.
    standardised : bool
        Whether the LSTM's input is standardised over the training clips.
    """

    question: str
    case: str
    method: str = "SE"
    estimator: dict = field(default_factory=dict)
    profile: dict = field(default_factory=dict)
    steps: Callable = np.asarray
    standardised: bool = False


_FLOW = {"streams": ("flow",)}
_OLD = {"finetune_train.lr": 1e-3}
_START = {"identities": {}, "nothing": {"pretrained": None}}
CASES = (
    *(Case("channels", name, estimator={"streams": (stream,)})
      for name, stream in (("five channels", "all"), ("flow", "flow"), ("strain", "strain"),
                           ("grey", "grey"))),
    Case("scale", "five channels, all at equal weight", profile={"scaling": "standard"}),
    Case("scale", "five channels, image levels", profile={"scaling": "raw"}),
    Case("scale", "flow, image levels", estimator=_FLOW, profile={"scaling": "raw"}),
    Case("steps", "first half", estimator=_FLOW, steps=lambda X: X[:, : _half(X)]),
    Case("steps", "second half", estimator=_FLOW, steps=lambda X: X[:, _half(X) :]),
    Case("steps", "motion since onset", estimator=_FLOW, steps=since_onset),
    Case("steps", "one step: the sum of the first half", estimator=_FLOW,
         steps=lambda X: since_onset(X)[:, [_half(X) - 1]]),
    Case("LSTM's input", "fc6", estimator={"layer": "fc6"}),
    Case("LSTM's input", "fc7, standardised", standardised=True),
    Case("last map", "12 x 12", profile={"vgg.convs": (1,), "vgg.widths": (16,)}),
    Case("last map", "3 x 3", profile={"vgg.convs": (1, 1, 1), "vgg.widths": (16, 32, 64)}),
    *(Case("spatial epochs", str(n), profile={"spatial_train.max_epochs": n}) for n in (5, 10, 40)),
    *(Case("temporal epochs", str(n), profile={"temporal_train.max_epochs": n,
                                               "temporal_train.patience": n}) for n in (2, 5, 40)),
    *(Case("streams", words, "TE", {"streams": streams})
      for words, streams in (("flow", ("flow",)), ("flow, strain", ("flow", "strain")),
                             ("flow, grey", ("flow", "grey")),
                             ("flow, strain, grey", ("flow", "strain", "grey")))),
    *(Case("start", f"flow from {words}{when}", "TE", {"streams": ("flow",)} | start, settings)
      for when, settings in (("", {}), (" at a rate of 0.001", _OLD))
      for words, start in _START.items()),
    *(Case("fine-tuning epochs, flow", str(n), "TE", {"streams": ("flow",)},
           {"finetune_train.max_epochs": n}) for n in (6, 30)),
    Case("start", "three streams from nothing", "TE", _START["nothing"]),
)  # fmt: skip


def _readings(model, train, test, y_train, case: Case) -> dict[str, np.ndarray]:
    """Answers about the clips `test` of a fitted network, read in every way."""
    frames = np.concatenate([n.frame_probabilities(test) for n in model.networks_.values()], axis=1)
    before, after = model.spatial_features(train), model.spatial_features(test)
    if case.standardised:
        mean, std = before.mean((0, 1)), before.std((0, 1)) + 1e-6
        scaled = ((values - mean) / std for values in (before, after))
        first, second = (values.astype(np.float32) for values in scaled)
        model._fit_temporal(first, np.searchsorted(model.classes_, y_train))
        lstm = model._temporal_probabilities(second)
    else:
        lstm = model.predict_proba(test)
    svm = make_pipeline(StandardScaler(), LinearSVM(C=1)).fit(before.mean(1), y_train)
    ways = {"lstm": lstm, "votes": vote_shares(frames), "mean": frames.mean(1)}
    answers = {name: model.classes_[values.argmax(1)] for name, values in ways.items()}
    return answers | {"svm": svm.predict(after.mean(1))}


def _data(session):
    manifest = TASK.select(session.manifest)
    labels = manifest.table[TASK.label].to_numpy(dtype=object).astype(str)
    folds = TASK.divide(manifest, session.profile.ablation_groups)
    return manifest, labels, folds, session.clips(manifest, session.profile.preprocess)


def diagnose(case: Case, corpus: int) -> dict:
    """Train and read `case` on the corpus of seed `corpus`; a row of the table."""
    session = tuning_session(corpus, changed(PROFILES["demo"], case.profile))
    _, labels, folds, stacks = _data(session)
    X = case.steps(np.stack([np.asarray(stacks[i]) for i in range(len(stacks))]))
    method = {"SE": SE, "TE": TE}[case.method]
    estimator = method.build(session, Options()).set_params(feature_store=None, **case.estimator)
    answers = {name: np.empty(len(labels), dtype=object) for name in READINGS}
    losses, started = [], time.process_time()
    with fixed_threads(session.profile.threads_per_fold):
        for fold in folds:
            model = seeded_clone(estimator, fold_seed(0, fold.name))
            train, known = X[fold.train], labels[fold.train]
            model.fit(train, known)
            for name, found in _readings(model, train, X[fold.test], known, case).items():
                answers[name][fold.test] = found
            spatial = [network.history.losses[-1] for network in model.networks_.values()]
            losses.append((np.mean(spatial), model.history_.losses[-1]))
    scores = {n: float(uar(confusion_matrix(labels, a, TASK.classes))) for n, a in answers.items()}
    spatial, temporal = np.mean(losses, axis=0)
    return {
        "question": case.question, "case": case.case, "corpus": corpus, **scores,
        "spatial_loss": spatial, "temporal_loss": temporal,
        "core_seconds": time.process_time() - started,
    }  # fmt: skip


def flow_sums_rows(corpus: int) -> list[dict]:
    """Score a linear SVM on flow summed until three ends: rows with the reading "svm" alone.

    The apex of the label sheet, which no method of the tables is given, is the third.
    """
    session = tuning_session(corpus)
    manifest, labels, folds, stacks = _data(session)
    table = manifest.table[["onset", "apex", "offset"]].astype(float)
    share = (table["apex"] - table["onset"]) / (table["offset"] - table["onset"])
    features = {until: FlowSums(until=until).transform(stacks) for until in ("apex", "middle")}
    ends = np.clip(np.rint(share.fillna(0.5) * stacks.shape[1]), 1, stacks.shape[1]).astype(int)
    # Twice as many steps, the second half empty: so the middle is where the sheet's apex is.
    cut = [
        np.concatenate([clip := np.asarray(stacks[i])[:end], np.zeros_like(clip)])
        for i, end in enumerate(ends)
    ]
    features["apex of the label sheet"] = np.stack(
        [FlowSums(until="middle").describe(clip) for clip in cut]
    )
    rows = []
    for until, values in features.items():
        found = np.empty(len(labels), dtype=object)
        for fold in folds:
            svm = make_pipeline(StandardScaler(), LinearSVM(C=1))
            svm.fit(values[fold.train], labels[fold.train])
            found[fold.test] = svm.predict(values[fold.test])
        score = float(uar(confusion_matrix(labels, found, TASK.classes)))
        rows.append({"question": "flow sums until", "case": until, "corpus": corpus, "svm": score})
    return rows


def read_diagnosis() -> pd.DataFrame:
    """Read the committed measurements, empty before the first."""
    if not COMMITTED.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(COMMITTED, dtype={"case": str})


def _keep(table: pd.DataFrame) -> pd.DataFrame:
    """Write `table` in the order of the cases, the later of two rows of one kind."""
    table = table.drop_duplicates(KEYS, keep="last")
    order = {(case.question, case.case): i for i, case in enumerate(CASES)}
    place = [order.get(key, len(order)) for key in zip(table["question"], table["case"])]  # noqa: B905
    table = table.assign(place=place).sort_values(["place", "corpus"], kind="stable")
    text = table[COLUMNS].to_csv(index=False, float_format="%.4g", lineterminator="\n")
    write(COMMITTED, text)
    return table[COLUMNS]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over the corpora of every case."""
    return table.drop(columns="corpus").groupby(["question", "case"], sort=False).mean()


def main(arguments: list[str] | None = None) -> int:
    """Measure what was not measured yet and write the table after every case."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.diagnose",
        description=__doc__.replace("`", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    questions = list(dict.fromkeys(case.question for case in CASES))
    parser.add_argument(
        "--only", nargs="+", choices=questions, metavar="QUESTION", help="these questions, again"
    )
    parser.add_argument("--list", action="store_true", help="print the table and end")
    options = parser.parse_args(arguments)
    table = read_diagnosis()
    if not options.list:
        done = set() if options.only else set(map(tuple, table[KEYS].to_numpy().tolist()))
        wanted = [
            (case, corpus)
            for case in CASES
            for corpus in CORPORA
            if (case.question, case.case, corpus) not in done
            and case.question in (options.only or questions)
        ]
        jobs = ((diagnose, *pair) for pair in wanted)
        for row in side_by_side(jobs, len(wanted), title="cases", unit="case"):
            table = _keep(pd.concat([table, pd.DataFrame([row])], ignore_index=True))
        rows = [row for corpus in CORPORA for row in flow_sums_rows(corpus)]
        table = _keep(pd.concat([table, pd.DataFrame(rows)], ignore_index=True))
    with pd.option_context("display.width", 200):
        print(summary(table).round(3).to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())
