"""The authors' published code: each of its departures from the paper, on and off.

Two families. *ELRCN-SE* is the paper's network of Table I, in which the deviations show what each
would have cost. *Flow, VGG fine-tuned, LSTM* is what users of the authors' code could
run: there neither SE nor TE run as published, and what runs is one network on flow that starts
from VGG-Face, then the LSTM.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil

import numpy as np
from sklearn.base import BaseEstimator

from elrcn.config import Profile, TrainConfig
from elrcn.experiments.methods import FLOW_TUNED, MAJORITY, SE, TE, Method, streams_of
from elrcn.manifest import Manifest
from elrcn.models.inputs import AS_THE_CODE_RAN, Quirks

#: Units of the Dense(128, ReLU) that the code has between LSTM and output.
DENSE = 128


@dataclass(frozen=True)
class Deviation:
    """One departure of the authors' code, or several together."""

    name: str
    label: str  #: name in figures
    option: str  #: how to turn it on in this library
    paper: str  #: what the paper says
    code: str  #: what the code does
    known: str  #: since when that is known, or how
    # What the method has that the one without it has not: see `elrcn.experiments.methods.Method`.
    settings: dict = field(default_factory=dict)
    change: Callable[[BaseEstimator, Profile], dict] | None = None
    labels: Callable[[Manifest, np.ndarray], np.ndarray] | None = None


def updates_of_earlier_folds(estimator: BaseEstimator, profile: Profile) -> int:
    """Count the updates that a shared optimizer has behind it in a fold in the middle.

    In the code the folds follow one another, and each starts where the one before left the
    optimizer's counter. Here folds are independent (any order, any number at once, each the same
    when it is trained alone), so every fold is given the same number: that of the fold in the
    middle, which comes after (K - 1) / 2 of the K folds, each with all the updates it can make.
    Early stopping makes fewer, so this is the most that the quirk can do to that fold. Clips and
    folds are those of the profile's CASME II, and do not depend on the data at hand.

    `spatial_train` and `temporal_train` of `estimator` are read; the number is given as
    `Quirks.updates_before`.
    """
    clips, subjects = profile.corpus.casme2_clips, profile.corpus.casme2_subjects
    folds = profile.ablation_groups or subjects
    trained = clips * (folds - 1) / folds
    frames = trained * (profile.preprocess.tim_length - 1)

    def updates(train: TrainConfig, samples: float) -> int:
        return train.max_epochs * ceil(samples / train.batch_size)

    one = len(streams_of(estimator)) * updates(estimator.spatial_train, frames)
    return round((one + updates(estimator.temporal_train, trained)) * (folds - 1) / 2)


def rate_left(updates: int, train: TrainConfig) -> float:
    """Share of the learning rate that is left after `updates`, in (0, 1] (Section III-D)."""
    return 1 / (1 + train.decay * updates)


def _shared_optimizer(estimator: BaseEstimator, profile: Profile) -> dict:
    before = updates_of_earlier_folds(estimator, profile)
    return {"quirks": Quirks(shared_optimizer=True, updates_before=before)}


def _other_scale(estimator: BaseEstimator, profile: Profile) -> dict:
    if estimator.scaling == "raw":
        return {"scaling": "standard"}
    return {"quirks": Quirks(raw_scale=True)}


def _dense(estimator: BaseEstimator, profile: Profile) -> dict:
    return {"temporal": replace(estimator.temporal, dense=DENSE)}


def _stopping(estimator: BaseEstimator, profile: Profile) -> dict:
    # A patience of all epochs never ends: the code's temporal stage has no early stopping.
    temporal = estimator.temporal_train
    return {
        "spatial_train": replace(estimator.spatial_train, patience=0, min_delta=0.0),
        "temporal_train": replace(temporal, patience=temporal.max_epochs),
    }


def _together(estimator: BaseEstimator, profile: Profile, raw: bool = True) -> dict:
    changes = {
        **_dense(estimator, profile),
        **_stopping(estimator, profile),
        "gates": "hard",
        "quirks": replace(
            AS_THE_CODE_RAN,
            raw_scale=raw,
            # A network from scratch, on five channels, is none that the code freezes.
            frozen_layers=streams_of(estimator) != ("all",),
            updates_before=updates_of_earlier_folds(estimator, profile),
        ),
    }
    # Keras' own ways, which are no departure from the paper, ran too.
    changes["temporal"] = replace(changes["temporal"], biases=1)
    for name in ("spatial_train", "temporal_train"):
        changes[name] = replace(changes[name], epsilon="keras")
    return changes if raw or estimator.scaling != "raw" else changes | {"scaling": "standard"}


def substring_labels(manifest: Manifest, labels: np.ndarray) -> np.ndarray:
    """Label clips as the authors' code does: by the first clip whose name is part of theirs.

    Among the clips of its subject, a clip takes the label of the first whose name is contained in
    its own. That is the clip itself, unless an earlier name is the beginning of its name: a clip
    ``EP01_02f`` takes that of ``EP01_02``. The order is the manifest's, where a name stands before
    those it begins; the code's is that of the label sheet. Folds and clips stay as they are.

    `labels` are the classes of `manifest`, shape (clips,). The array returned is new, and equal
    where no name contains another of the same subject.
    """
    names = [clip.rsplit("/", 1)[-1] for clip in manifest.table["clip_id"]]
    earlier: dict[str, list[tuple[str, str]]] = {}
    found = []
    for subject, name, label in zip(manifest.table["subject"], names, labels, strict=True):
        known = earlier.setdefault(subject, [])
        known.append((name, label))
        found.append(next(label for other, label in known if other in name))
    return np.array(found, dtype=object)


RESHAPE = Deviation(
    "reshape_layout",
    "reshaped layout",
    "Quirks(reshape_layout=True)",
    "A flow image is a picture of three channels (Section III-A).",
    "Pictures stored height × width × 3 are reshaped, not transposed, to 3 × height × width: "
    "every plane mixes all channels of a third of the face.",
    "Reported to the authors in July 2018 (issue 7 of their repository); answered that a reshape "
    "should be fine.",
    {"quirks": Quirks(reshape_layout=True)},
)
UINT8 = Deviation(
    "uint8_flow",
    "8-bit flow",
    "Quirks(uint8_flow=True)",
    "Nothing about how flow is stored.",
    "uint8(16 v + 128) for each component and the magnitude, uint8(255 e) for strain, rounded: "
    "steps of 1/16 px, nothing beyond 8 px or a strain of 1.",
    "Plain in the code.",
    {"quirks": Quirks(uint8_flow=True)},
)
FROZEN = Deviation(
    "frozen_layers",
    "frozen layers",
    "Quirks(frozen_layers=True)",
    "The network is fine-tuned (Section III-B); of frozen layers no word.",
    "In the run on one database, the one that runs, all 13 convolutions and fc6 stay as VGG-Face "
    "has them; only fc7 and the classifier are trained.",
    "Plain in the code since 4 July 2018. Before, the layers were frozen after the model had been "
    "compiled, which Keras 2.0 ignores: so the paper of May 2018 was probably fine-tuned whole, "
    "and users of December 2018 and later got the frozen network (an inference).",
    {"quirks": Quirks(frozen_layers=True)},
)
REVERSED = Deviation(
    "reversed_channels",
    "reversed channels",
    "Quirks(reversed_channels=True)",
    "The channels of a flow image are p, q and |v| (Section III-A).",
    "OpenCV reads the stored picture in reverse, |v|, q, p: the first filters of VGG-Face meet "
    "other channels. A network from scratch learns either order.",
    "Plain in the code.",
    {"quirks": Quirks(reversed_channels=True)},
)
SUBSTRING = Deviation(
    "substring_label",
    "labels by part of the name",
    "Method(labels=substring_labels)",
    "Labels of CASME II.",
    "A clip takes the label of the first clip of its subject whose name is contained in its own: "
    "on CASME II one clip of repression is trained and scored as happiness.",
    "Plain in the code; classes become 33, 63, 26, 25 and 99, and the UAR of issue 28 of the "
    "authors' repository cannot be had with the sheet's 32, 63, 27, 25 and 99.",
    labels=substring_labels,
)
SIGMOID = Deviation(
    "sigmoid_head",
    "sigmoid outputs",
    "Quirks(sigmoid_head=True)",
    "Softmax (Eq 5).",
    "One sigmoid a class under categorical cross-entropy, which Keras divides by their sum.",
    "Plain in the code.",
    {"quirks": Quirks(sigmoid_head=True)},
)
SHARED = Deviation(
    "shared_optimizer",
    "shared optimizer",
    "Quirks(shared_optimizer=True, updates_before=n)",
    "Adam, learning rate 1e-5, decay 1e-6 (Section III-D).",
    "One Adam serves every network and fold. Its counter is never reset: later folds start with a "
    "decayed rate and without the bias correction that makes first steps small.",
    "Plain in the code.",
    change=_shared_optimizer,
)
SCALE = Deviation(
    "raw_scale",
    "other input scale",
    "Quirks(raw_scale=True) or scaling",
    "Nothing about the scale of the input.",
    "Levels 0 to 255 go in, neither centred nor scaled.",
    "Plain in the code.",
    change=_other_scale,
)
GATES = Deviation(
    "hard_gates",
    "hard-sigmoid gates",
    'gates="hard"',
    "LSTM gates with sigmoids (Section III-C).",
    "The gates of Keras 2.0: clip(0.2 x + 0.5, 0, 1).",
    "Default of the Keras of that time.",
    {"gates": "hard"},
)
DENSE_LAYER = Deviation(
    "dense",
    f"Dense({DENSE}) after the LSTM",
    f"TemporalConfig(dense={DENSE})",
    "One fully connected layer after the LSTM (Section III-C).",
    f"Dense({DENSE}, ReLU) between the LSTM and the output layer.",
    "Plain in the code.",
    change=_dense,
)
STOPPING = Deviation(
    "stopping",
    "stopping as in the code",
    "TrainConfig(patience=...)",
    "At most 100 epochs with early stopping on the loss (Section III-D).",
    "The spatial stage ends at the first epoch whose training loss does not fall; the temporal "
    "stage runs all its epochs.",
    "Plain in the code.",
    change=_stopping,
)
TOGETHER = Deviation(
    "as_the_code_ran",
    "all: as the code ran",
    "AS_THE_CODE_RAN with the settings above",
    "",
    "All of the above, with Keras' epsilon and its one LSTM bias; the input is raw.",
    "What users of December 2018 and later ran.",
    change=_together,
    labels=substring_labels,
)
TOGETHER_SCALED = Deviation(
    "as_the_code_ran_scaled",
    "all, standardised input",
    'the same with raw_scale=False, scaling="standard"',
    "",
    "Not what the code does: all of the above but the scale. ELRCN-SE, which starts from nothing, "
    "has no frozen layers.",
    "",
    change=partial(_together, raw=False),
    labels=substring_labels,
)

#: Deviations of the flow network: all. The temporal stage's cost least, so they stand together.
FLOW_DEVIATIONS = (
    FROZEN, RESHAPE, REVERSED, UINT8, SUBSTRING, SHARED, STOPPING, SIGMOID, GATES, DENSE_LAYER,
    TOGETHER_SCALED, SCALE, TOGETHER,
)  # fmt: skip
#: Deviations of SE: those of the demo's budget. Its networks cost twice those of the flow network.
SE_DEVIATIONS = (RESHAPE, UINT8, STOPPING, SIGMOID, GATES, DENSE_LAYER, TOGETHER_SCALED)

FLOW_BASE = replace(
    TE, name="flow", label="no deviation", settings={"streams": ("flow",)}, published="",
    group=f"{FLOW_TUNED}, LSTM",
)  # fmt: skip
SE_BASE = replace(SE, label="no deviation", group="ELRCN-SE")
#: Methods without a deviation: what the others are compared with.
BASES = (FLOW_BASE, SE_BASE)


def _family(base: Method, deviations: tuple[Deviation, ...]) -> tuple[Method, ...]:
    """Give `base` and one method for each deviation, in the group of `base`."""
    return base, *(
        replace(base, name=f"{base.name}-{one.name}", label=one.label, published="",
                settings={**base.settings, **one.settings}, change=one.change, labels=one.labels)
        for one in deviations
    )  # fmt: skip


METHODS = (
    replace(MAJORITY, group="for comparison"),
    *_family(FLOW_BASE, FLOW_DEVIATIONS),
    *_family(SE_BASE, SE_DEVIATIONS),
)


def deviation_of(method: Method) -> Deviation | None:
    """Return the deviation that `method` has; None for a base or a method of no family."""
    name = method.name.partition("-")[2]
    return next((one for one in FLOW_DEVIATIONS if one.name == name), None)


def base_of(method: Method) -> Method | None:
    """Return what `method` is compared with; None for a base or a method of no family."""
    name = method.name.partition("-")[0]
    return next((b for b in BASES if b.name == name and b.name != method.name), None)
