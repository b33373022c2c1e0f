"""The methods of tables and figures: a name, an estimator and its settings each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from elrcn.config import PreprocessConfig, Profile
from elrcn.errors import ElrcnError
from elrcn.experiments.starts import DEFAULT, Options, initial_weights
from elrcn.features.base import MajorityClassifier
from elrcn.features.flow_sums import flow_sums_svm
from elrcn.features.hog3d import hog3d_svm
from elrcn.features.hoof import hoof_svm
from elrcn.features.lbp_top import lbp_top_svm
from elrcn.manifest import Manifest
from elrcn.models.estimators import (
    ELRCN,
    TE_STREAMS,
    FrozenFeatureSVM,
    SpatialOnly,
    TemporalOnly,
    TrainAugmented,
)
from elrcn.session import Session

#: The LSTM of the paper's tables. A profile's own stands for it, and the others scale with it.
PAPER_UNITS = 3000
#: Side in pixels of the frames whose grey values an LSTM sees (Section IV-E2).
PIXELS = 50


def _unchanged(config: PreprocessConfig) -> PreprocessConfig:
    return config


@dataclass(frozen=True)
class Method:
    """One row of a table: an estimator, its settings, and what it takes as input.

    Attributes
    ----------
    name, label : str
        Identifier, and name in tables: the input, the network and how it is read, such as "Flow,
        VGG fine-tuned, votes"; "ELRCN-SE" and "ELRCN-TE" are the networks of Table I alone.
    estimator : callable
        Class of a scikit-learn classifier with `predict_proba`, or a function that makes one.
    settings : mapping
        Its arguments. Of `network_settings` it is given those that its signature names and
        `settings` does not.
    input : {"stack", "grey", "augmented"}
        Flow stacks (clips, T - 1, 5, size, size); grey sequences after TIM (clips, T, 1,
        flow_size, flow_size); or flow stacks that carry their augmented variants along
        (`elrcn.preprocess.cache.StackArray`), on which the estimator is trained too.
    published : str
        The row of ``data_manifest/paper_results.csv`` it stands beside; "" if none.
    group : str
        Heading under which figures and tables put it, such as "from scratch".
    units : tuple of int
        Units of its LSTM's layers in the paper, which a profile scales; () for the profile's own.
    starts_from_weights : bool
        Whether it is fine-tuned from weights learned elsewhere.
    random : bool
        Whether its result depends on the seed: only then an experiment of several seeds repeats it.
    seed : int
        Added to the session's seed.
    change : callable, optional
        ``change(estimator, profile)`` -> parameters to set, where these depend on the profile.
    preprocess : callable
        The profile's `PreprocessConfig` -> the method's.
    labels : callable, optional
        ``labels(manifest, labels)`` -> the classes it is trained and scored on, where these are
        not the manifest's.
    named : callable, optional
        ``named(method, profile)`` -> label and group under a profile, where these say what it
        changes.
    """

    name: str
    label: str
    estimator: Callable[..., BaseEstimator]
    settings: Mapping[str, Any] = field(default_factory=dict)
    input: str = "stack"
    published: str = ""
    group: str = ""
    units: tuple[int, ...] = ()
    starts_from_weights: bool = False
    random: bool = True
    seed: int = 0
    change: Callable[[BaseEstimator, Profile], dict] | None = None
    preprocess: Callable[[PreprocessConfig], PreprocessConfig] = _unchanged
    labels: Callable[[Manifest, np.ndarray], np.ndarray] | None = None
    named: Callable[[Method, Profile], tuple[str, str]] | None = None

    def under(self, profile: Profile) -> Method:
        """Give it the label and the group that it has under `profile`."""
        label, group = self.named(self, profile) if self.named else (self.label, self.group)
        if self.units:
            label = label.replace(lstm_text(self.units), lstm_text(self.units, profile))
        return replace(self, label=label, group=group)

    def build(self, session: Session, options: Options = DEFAULT) -> BaseEstimator:
        """Make the unfitted estimator under the profile of `session`.

        Weights that it starts from are made or converted here if they are not there yet;
        `ElrcnError` if they are missing, or the estimator has no `predict_proba`.
        """
        profile, given = session.profile, network_settings(session)
        if self.units:
            units = scaled_units(profile, self.units)
            given["temporal"] = replace(profile.temporal, units=units)
        if self.starts_from_weights:
            weights = initial_weights(session, options)
            given["pretrained"] = None if weights is None else str(weights)
            given["spatial_train"] = profile.finetune_train
        takes = inspect.signature(self.estimator).parameters
        given = {name: value for name, value in given.items() if name in takes}
        estimator = self.estimator(**given | dict(self.settings))
        if not hasattr(estimator, "predict_proba"):
            raise ElrcnError(
                f"The estimator of method {self.name!r} has no predict_proba.",
                fix="let it answer with probabilities (clips, classes), in the order of classes_",
            )
        if self.change is not None:
            estimator.set_params(**self.change(estimator, profile))
        return TrainAugmented(estimator) if self.input == "augmented" else estimator


def network_settings(session: Session) -> dict[str, Any]:
    """Arguments of the networks under the profile of `session`, by the estimators' names."""
    profile = session.profile
    return {
        "vgg": profile.vgg,
        "temporal": profile.temporal,
        "spatial_train": profile.spatial_train,
        "temporal_train": profile.temporal_train,
        "scaling": profile.scaling,
        "pixels": min(PIXELS, profile.preprocess.size),
        "device": session.device,
        "threads": profile.threads_per_fold,
        "feature_store": str(session.workspace.cache / "spatial"),
    }


def streams_of(estimator: BaseEstimator) -> tuple[str, ...]:
    """Streams of channels that `estimator` has a spatial network each for."""
    return getattr(estimator, "streams", None) or (getattr(estimator, "stream", "all"),)


# --- Tables I to III -----------------------------------------------------------------------------

MAJORITY = Method(
    "majority", "Largest training class", MajorityClassifier, input="grey", random=False
)
_C = {"C": 10000.0}  # Section IV-B
LBP_TOP = Method(
    "lbp_top", "LBP-TOP + linear SVM", lbp_top_svm, _C, "grey", "LBP-TOP (reproduced)",
    random=False,
)  # fmt: skip
# Blocks and radii in common use on CASME II, whose frames come at 200 a second.
LBP_TOP_5X5 = Method(
    "lbp_top_5x5", "LBP-TOP 5 x 5 + linear SVM", lbp_top_svm,
    _C | {"blocks": (5, 5), "radii": (1, 1, 4)}, "grey", random=False,
)  # fmt: skip
FLOW_SUMS = Method(
    "flow_sums", "Flow sums + linear SVM", flow_sums_svm, {"until": "middle"}, random=False
)
HOG3D = Method("hog3d", "HOG-3D + linear SVM", hog3d_svm, _C, "grey", "HOG-3D", random=False)
HOOF = Method("hoof", "HOOF + linear SVM", hoof_svm, _C, published="HOOF", random=False)
SE = Method("elrcn_se", "ELRCN-SE", ELRCN, published="ELRCN-SE")
TE = Method(
    "elrcn_te", "ELRCN-TE", ELRCN, {"streams": TE_STREAMS}, published="ELRCN-TE",
    starts_from_weights=True,
)  # fmt: skip

#: Heads the figures of networks: what a network that learned nothing scores.
NOTHING = replace(MAJORITY, group="no learning")
BASELINE = replace(LBP_TOP, group="the paper's baseline")

# --- Figures 5 to 8 (Section IV-E) ---------------------------------------------------------------
# The networks of Figures 5, 7 and 8 are asked for with the same settings, so that a feature store
# trains each once: Figure 5's fine-tuned flow network is the feature source of Figures 7 and 8.

#: Input and network of all that reads the fine-tuned flow network; fc7 is read unless it is said.
FLOW_TUNED = "Flow, VGG fine-tuned"
# Name of the method, words for a label, streams.
_SINGLE = tuple((name, name.capitalize(), (name,)) for name in ("grey", "flow", "strain"))
_SCRATCH = (*_SINGLE, ("all", "Five channels", ("all",)))
# Weights learned on photographs take three channels, so five channels become three networks.
_TUNED = (*_SINGLE, ("all", "Three streams", TE_STREAMS))


def _figure5(kind: str, words: str, rows, estimator=SpatialOnly, ending="", **more):
    """Give a method for each of `rows`: name, words and streams."""
    settings = {"vote": "mean"} if ending else {}
    return tuple(
        Method(f"{kind}_{name}{ending}", f"{first}, {words}", estimator,
               {"streams": streams} | settings, **more)
        for name, first, streams in rows
    )  # fmt: skip


# Where networks are not kept each of these trains again, so not every row is read twice.
_READ_TWICE = {"ending": "_mean", "group": "mean probability, not votes"}
SPATIAL = (
    *_figure5("scratch", "VGG from scratch, votes", _SCRATCH, group="from scratch"),
    *_figure5("tuned", "VGG fine-tuned, votes", _TUNED, group="fine-tuned",
              starts_from_weights=True),
    *_figure5("svm", "VGG frozen, SVM votes", _TUNED, FrozenFeatureSVM,
              group="frozen features + SVM", starts_from_weights=True),
    *_figure5("scratch", "VGG from scratch, mean of frames", (_SCRATCH[1], _SCRATCH[3]),
              **_READ_TWICE),
    *_figure5("tuned", "VGG fine-tuned, mean of frames", (_TUNED[1], _TUNED[3]),
              **_READ_TWICE, starts_from_weights=True),
)  # fmt: skip

#: Layers of Figure 8 by method. The text does not list those of Figure 6; it names one and two
#: layers and calls 3000-1024 the best, so the same five stand there.
LSTMS = {
    "lstm_512": (512,),
    "lstm_3000": (3000,),
    "lstm_1024_1024": (1024, 1024),
    "lstm_3000_1024": (3000, 1024),
    "lstm_5000_1024": (5000, 1024),
}


def scaled_units(profile: Profile, units: Sequence[int]) -> tuple[int, ...]:
    """Units of the paper's LSTM layers, such as (3000, 1024), in the proportion of `profile`.

    Its ``temporal.units[0]`` is what 3000 becomes; each layer has at least 4. In the profile
    "paper" they are the paper's own.
    """
    here = profile.temporal.units[0]
    return tuple(max(4, round(n * here / PAPER_UNITS)) for n in units)


def units_text(units: Sequence[int]) -> str:
    """Units as the paper writes them: "3000-1024"."""
    return "-".join(str(n) for n in units)


def lstm_text(units: Sequence[int], profile: Profile | None = None) -> str:
    """Name an LSTM by its units in the paper: "LSTM (3000)".

    Where `profile` scales it, "LSTM (64 for 3000)".
    """
    here, there = units_text(scaled_units(profile, units) if profile else units), units_text(units)
    return f"LSTM ({here})" if here == there else f"LSTM ({here} for {there})"


def _lstms(words: str, estimator, settings, **more) -> tuple[Method, ...]:
    return tuple(
        Method(name, f"{words}, {lstm_text(units)}", estimator, settings, units=units,
               group="one layer" if len(units) == 1 else "two layers", **more)
        for name, units in LSTMS.items()
    )  # fmt: skip


_FLOW = {"streams": ("flow",)}
PIXELS_LSTMS = _lstms("Grey pixels", TemporalOnly, {"stream": "grey"})
FLOW_LSTMS = _lstms(FLOW_TUNED, ELRCN, _FLOW, starts_from_weights=True)
#: The LSTM under the two layers of features that Figure 7 compares.
FIGURE7_UNITS = LSTMS["lstm_3000_1024"]
FC_LAYERS = tuple(
    Method(layer, f"{FLOW_TUNED}, {lstm_text(FIGURE7_UNITS)}{ending}", ELRCN,
           _FLOW | {"layer": layer}, group=words, units=FIGURE7_UNITS, starts_from_weights=True)
    for layer, ending, words in (("fc6", " on fc6", "second last FC (fc6)"),
                                 ("fc7", "", "last FC (fc7)"))
)  # fmt: skip

# --- Table I with the temporal stage stopped at fixed epochs (Section III-D) ---------------------

#: Shares of the profile's epochs that temporal stages of the experiment "epochs" are trained for.
EPOCHS = (0.1, 0.2, 0.5, 1.0)


def epochs_in(profile: Profile, share: float) -> int:
    """Epochs that a method of "epochs" trains under `profile`: a share of all, at least one."""
    return max(1, round(share * profile.temporal_train.max_epochs))


def _epochs_name(prefix: str, share: float) -> str:
    return f"{prefix}_epochs_{100 * share:.0f}pc"


def _stopped(estimator: BaseEstimator, profile: Profile, share: float) -> dict:
    # With as much patience as epochs the loss never ends the training.
    count = epochs_in(profile, share)
    return {"temporal_train": replace(estimator.temporal_train, max_epochs=count, patience=count)}


STOPPED = tuple(
    replace(base, name=_epochs_name(prefix, share), published="", group=base.label,
            label=f"{base.label}, {share:.0%} of the LSTM's epochs",
            change=partial(_stopped, share=share))
    for prefix, base in (("se", SE), ("te", TE)) for share in EPOCHS
)  # fmt: skip


def rows_by_epochs(
    results: Mapping[str, pd.DataFrame], prefix: str, profile: Profile
) -> dict[int, pd.DataFrame]:
    """Prediction rows of "se" or "te" by epochs trained, ascending, out of experiment "epochs".

    A profile with few epochs has fewer entries than `EPOCHS`, where shares come to the same.
    """
    found = {epochs_in(profile, k): results[_epochs_name(prefix, k)] for k in EPOCHS}
    return dict(sorted(found.items()))
