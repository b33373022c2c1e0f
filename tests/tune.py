"""Choose the demo's settings on corpora that no page scores.

Every setting is tried on `CORPORA`, which differ from the demo's in their seed alone: other
people, other clips. On each, Table I's task is divided into the demo's groups of subjects, and the
clips of a group are answered by networks that were trained on the others. The scored corpus is
refused. A setting is chosen by its mean UAR over the corpora, and by its cost.

    python -m tests.tune                 trials that the table lacks; resumes where it was stopped
    python -m tests.tune --only 3 4      these settings, again
    python -m tests.tune --list          the settings, and what they gave
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from elrcn.config import PROFILES, Profile
from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import confusion_matrix, uar, war
from elrcn.evaluation.runner import (
    aligned_probabilities,
    describe_once,
    fixed_threads,
    fold_seed,
    seeded_clone,
)
from elrcn.experiments.methods import SE, TE
from elrcn.experiments.registry import EMOTION_ABLATION
from elrcn.experiments.starts import Options
from elrcn.features.flow_sums import flow_sums_svm
from elrcn.features.lbp_top import lbp_top_svm
from elrcn.files import side_by_side, write
from elrcn.models.estimators import vote_shares
from elrcn.session import Session

COMMITTED = Path(__file__).parents[1] / "data_manifest" / "demo_tuning.csv"
#: Seeds of the corpora on which settings are tried; never the demo's own.
CORPORA = (1, 2, 3)
#: Settings that may be tried in all.
MOST_SETTINGS = 40
KEYS = ["setting", "corpus"]
COLUMNS = [*KEYS, "method", "changed", "uar", "war", "uar_votes", "spatial_loss", "temporal_loss",
           "core_seconds", "chosen"]  # fmt: skip


#: What the demo had before, from which settings depart.
START = {
    "vgg.convs": (1, 1),
    "vgg.widths": (16, 32),
    "vgg.fc": 128,
    "vgg.dropout": 0.3,
    "temporal.units": (64,),
    "scaling": "standard",
    **{f"spatial_train.{key}": value
       for key, value in {"lr": 1e-3, "batch_size": 32, "max_epochs": 20, "patience": 4}.items()},
    **{f"finetune_train.{key}": value
       for key, value in {"lr": 1e-3, "batch_size": 32, "max_epochs": 12, "patience": 4}.items()},
    **{f"temporal_train.{key}": value
       for key, value in {"lr": 1e-3, "batch_size": 16, "max_epochs": 40, "patience": 5}.items()},
    **{f"pretrain_train.{key}": value
       for key, value in {"lr": 1e-3, "batch_size": 32, "max_epochs": 30, "patience": 2}.items()},
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One setting to try: a method, and what differs from `START`."""

    method: str
    changed: dict = field(default_factory=dict)
    chosen: bool = False

    @property
    def text(self) -> str:
        """What is changed, for the table."""
        return "; ".join(f"{key} {value}" for key, value in self.changed.items()) or "none"


#: In the order they were tried; the number in the table is the place.
SETTINGS: tuple[Setting, ...] = (
    Setting("ELRCN-SE"),
    Setting("ELRCN-TE"),
    Setting("ELRCN-SE", {"spatial_train.lr": 3e-3}),
    Setting("ELRCN-TE", {"finetune_train.lr": 3e-3}),
    Setting("ELRCN-SE", {"spatial_train.lr": 3e-3, "vgg.dropout": 0.5}),
    Setting("ELRCN-TE", {"finetune_train.lr": 3e-3, "finetune_train.max_epochs": 20}),
    Setting("ELRCN-SE", {"temporal_train.max_epochs": 10}),
    Setting("ELRCN-SE", {"temporal.units": (16,)}),
    Setting("ELRCN-SE", {"vgg.widths": (8, 16), "vgg.fc": 64}),
    Setting("ELRCN-SE", {"spatial_train.max_epochs": 40}),
    Setting("ELRCN-SE", {"vgg.dropout": 0.5}),
    Setting("ELRCN-SE", {"vgg.convs": (1, 1, 1), "vgg.widths": (16, 32, 64)}),
    Setting("ELRCN-SE", {"scaling": "raw"}),
    Setting(
        "ELRCN-TE",
        {
            "finetune_train.lr": 3e-3,
            "finetune_train.max_epochs": 20,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-TE", {"finetune_train.lr": 3e-3, "finetune_train.max_epochs": 20, "vgg.dropout": 0.5}
    ),
    Setting("ELRCN-TE", {"finetune_train.lr": 1e-2, "finetune_train.max_epochs": 20}),
    Setting("ELRCN-SE", {"spatial_train.max_epochs": 40, "vgg.dropout": 0.1}),
    Setting("ELRCN-SE", {"spatial_train.max_epochs": 40, "temporal_train.max_epochs": 10}),
    Setting(
        "ELRCN-SE",
        {
            "spatial_train.max_epochs": 40,
            "spatial_train.lr": 2e-3,
            "spatial_train.batch_size": 64,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-SE", {"spatial_train.max_epochs": 30, "vgg.fc": 256, "temporal_train.max_epochs": 10}
    ),
    Setting(
        "ELRCN-TE",
        {
            "finetune_train.lr": 3e-3,
            "finetune_train.max_epochs": 20,
            "vgg.dropout": 0.1,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-TE",
        {
            "finetune_train.lr": 4e-3,
            "finetune_train.batch_size": 64,
            "finetune_train.max_epochs": 20,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-SE",
        {
            "scaling": "motion",
            "spatial_train.lr": 2e-3,
            "spatial_train.max_epochs": 30,
            "vgg.dropout": 0.1,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-SE",
        {
            "scaling": "motion",
            "spatial_train.lr": 2e-3,
            "spatial_train.max_epochs": 30,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-SE",
        {
            "scaling": "motion",
            "spatial_train.lr": 1e-3,
            "spatial_train.max_epochs": 40,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-SE",
        {
            "scaling": "motion",
            "spatial_train.lr": 2e-3,
            "spatial_train.max_epochs": 20,
            "temporal_train.max_epochs": 10,
        },
        chosen=True,
    ),
    Setting(
        "ELRCN-SE",
        {
            "scaling": "motion",
            "spatial_train.lr": 2e-3,
            "spatial_train.max_epochs": 30,
            "vgg.dropout": 0.1,
            "temporal_train.max_epochs": 40,
        },
    ),
    Setting(
        "ELRCN-TE",
        {
            "finetune_train.lr": 3e-3,
            "finetune_train.max_epochs": 15,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-TE",
        {
            "finetune_train.lr": 2e-3,
            "finetune_train.max_epochs": 15,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-TE",
        {
            "finetune_train.lr": 3e-3,
            "finetune_train.max_epochs": 12,
            "temporal_train.max_epochs": 10,
        },
        chosen=True,
    ),
    Setting(
        "ELRCN-TE",
        {
            "finetune_train.lr": 3e-3,
            "finetune_train.max_epochs": 15,
            "vgg.dropout": 0.1,
            "temporal_train.max_epochs": 10,
        },
    ),
    Setting(
        "ELRCN-SE",
        {
            "scaling": "motion",
            "spatial_train.lr": 2e-3,
            "spatial_train.max_epochs": 30,
            "temporal_train.max_epochs": 20,
        },
    ),
    Setting(
        "ELRCN-SE", {"scaling": "motion", "spatial_train.lr": 2e-3, "spatial_train.max_epochs": 30}
    ),
    Setting(
        "ELRCN-TE",
        {
            "finetune_train.lr": 3e-3,
            "finetune_train.max_epochs": 15,
            "temporal_train.max_epochs": 20,
        },
    ),
    Setting("LBP-TOP", {"blocks": (1, 1), "radii": (1, 1, 1)}),
    Setting("LBP-TOP", {"blocks": (5, 5), "radii": (1, 1, 1)}),
    Setting("LBP-TOP", {"blocks": (5, 5), "radii": (1, 1, 4)}, chosen=True),
    Setting("Flow sums", {"until": "apex"}),
    Setting("Flow sums", {"until": "middle"}, chosen=True),
    Setting("Flow sums", {"until": "middle", "C": 0.1}),
)


def changed(profile: Profile, changes: dict) -> Profile:
    """Return `profile` with values replaced by dotted name, such as ``spatial_train.lr``."""
    for name, value in changes.items():
        part, _, key = name.partition(".")
        inner = replace(getattr(profile, part), **{key: value}) if key else value
        profile = replace(profile, **{part: inner})
    return profile


def tuning_session(corpus: int, profile: Profile | None = None) -> Session:
    """Open the demo on the corpus of another seed.

    Raises
    ------
    ElrcnError
        If it is the seed of the corpus that the pages score.
    """
    profile = profile or PROFILES["demo"]
    if corpus == profile.corpus.seed:
        raise ElrcnError(
            f"The corpus of seed {corpus} is the one that the pages score.",
            fix=f"choose settings on others, such as {CORPORA}",
        )
    session = Session(profile.name, device="cpu", workers=1, progress=False)
    session.given = {}  # whoever has named databases tunes on the embedded corpora all the same
    session.profile = replace(profile, corpus=replace(profile.corpus, seed=corpus))
    return session


def _network_fold(estimator, X, labels, fold, classes) -> tuple[np.ndarray, np.ndarray, list]:
    """Answers of one fold by the whole network and by votes of its frames, and the last losses."""
    model = seeded_clone(estimator, fold_seed(0, fold.name)).fit(X[fold.train], labels[fold.train])
    answers = np.asarray(classes)[aligned_probabilities(model, X[fold.test], classes).argmax(1)]
    parts = [network.frame_probabilities(X[fold.test]) for network in model.networks_.values()]
    votes = model.classes_[vote_shares(np.concatenate(parts, axis=1)).argmax(1)]
    losses = [network.history.losses[-1] for network in model.networks_.values()]
    return answers, votes, [np.mean(losses), model.history_.losses[-1]]


def _try_network(setting: Setting, session: Session, manifest, labels, folds, classes) -> dict:
    """Scores of a network: of the whole, and of the votes of its frames."""
    profile = session.profile
    X = session.clips(manifest, profile.preprocess)
    estimator = {"ELRCN-SE": SE, "ELRCN-TE": TE}[setting.method].build(session, Options())
    estimator.set_params(feature_store=None)  # so that every setting's time is its own
    answers, votes = np.empty((2, len(labels)), dtype=object)
    losses, started = [], time.process_time()
    with fixed_threads(profile.threads_per_fold):
        for fold in folds:
            answers[fold.test], votes[fold.test], last = _network_fold(
                estimator, X, labels, fold, classes
            )
            losses.append(last)
    spatial, temporal = np.mean(losses, axis=0)
    voted = float(uar(confusion_matrix(labels, votes, classes)))
    return {
        "answers": answers, "uar_votes": voted, "spatial_loss": spatial,
        "temporal_loss": temporal, "core_seconds": time.process_time() - started,
    }  # fmt: skip


def _try_baseline(setting: Setting, session: Session, manifest, labels, folds, classes) -> dict:
    """Answers of a descriptor with its SVM, whose options are what is changed."""
    grey = setting.method == "LBP-TOP"
    svm = lbp_top_svm if grey else flow_sums_svm
    X = session.clips(manifest, kind="grey" if grey else "stack")
    started = time.process_time()
    estimator, features = describe_once(svm(**setting.changed), X)
    answers = np.empty(len(labels), dtype=object)
    for fold in folds:
        model = seeded_clone(estimator, fold_seed(0, fold.name))
        model.fit(features[fold.train], labels[fold.train])
        answers[fold.test] = model.predict(features[fold.test])
    return {"answers": answers, "core_seconds": time.process_time() - started}


def try_setting(number: int, corpus: int) -> dict:
    """Train and score setting `number` on the corpus of seed `corpus`; a row of the table."""
    setting = SETTINGS[number - 1]
    network = setting.method.startswith("ELRCN")
    profile = changed(PROFILES["demo"], START | (setting.changed if network else {}))
    session, task = tuning_session(corpus, profile), EMOTION_ABLATION
    manifest = task.select(session.manifest)
    labels = manifest.table[task.label].to_numpy(dtype=object).astype(str)
    folds = task.divide(manifest, profile.ablation_groups)
    row = (_try_network if network else _try_baseline)(
        setting, session, manifest, labels, folds, task.classes
    )
    whole = confusion_matrix(labels, row.pop("answers"), task.classes)
    return {
        "setting": number, "corpus": corpus, "method": setting.method, "changed": setting.text,
        "uar": float(uar(whole)), "war": float(war(whole)), "chosen": setting.chosen, **row,
    }  # fmt: skip


def read_trials() -> pd.DataFrame:
    """Read the committed trials, empty before the first."""
    if not COMMITTED.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(COMMITTED)


def _keep(trials: pd.DataFrame) -> None:
    chosen = [SETTINGS[number - 1].chosen for number in trials["setting"]]
    text = (
        trials.assign(chosen=chosen)[COLUMNS]
        .sort_values(KEYS)
        .to_csv(index=False, float_format="%.4g", lineterminator="\n")
    )
    write(COMMITTED, text)


def summary(trials: pd.DataFrame) -> pd.DataFrame:
    """Mean over the corpora of each setting's scores, and its core-seconds on all of them."""
    by = trials.groupby(["setting", "method", "changed", "chosen"])
    mean = by[["uar", "uar_votes", "war", "spatial_loss", "temporal_loss"]].mean()
    return mean.assign(core_seconds=by["core_seconds"].sum(), corpora=by.size()).reset_index()


def main(arguments: list[str] | None = None) -> int:
    """Try what was not tried yet and write the table after every trial."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.tune",
        description=__doc__.replace("`", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", type=int, metavar="N", help="these settings, again")
    parser.add_argument("--list", action="store_true", help="print the table and end")
    parser.add_argument("--workers", type=int, default=0, help="trials at once; 0: one a core")
    options = parser.parse_args(arguments)
    trials = read_trials()
    if not options.list:
        numbers = options.only or range(1, len(SETTINGS) + 1)
        done = set() if options.only else set(map(tuple, trials[KEYS].to_numpy().tolist()))
        wanted = [(n, c) for n in numbers for c in CORPORA if (n, c) not in done]
        jobs = ((try_setting, *pair) for pair in wanted)
        for row in side_by_side(
            jobs, len(wanted), title="trials", unit="trial", workers=options.workers or None
        ):
            same = (trials[KEYS] == [row[key] for key in KEYS]).all(axis=1)
            trials = pd.concat([trials[~same], pd.DataFrame([row])], ignore_index=True)
            _keep(trials)
    with pd.option_context("display.width", 200, "display.max_colwidth", 90):
        print(summary(trials).round(3).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
