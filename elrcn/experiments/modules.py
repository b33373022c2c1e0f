"""Figures 5 to 8 (Section IV-E): the spatial and the temporal module alone, then combined.

The networks of Figures 5, 7 and 8 are asked for with the same settings, so that a feature store
trains each once: Figure 5's fine-tuned flow network is the feature source of Figures 7 and 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sklearn.base import BaseEstimator

from elrcn.config import Profile
from elrcn.experiments.experiment import Experiment
from elrcn.experiments.lstms import FIGURE7_UNITS, LSTMS, lstm_text, scaled_units
from elrcn.experiments.methods import LBP_TOP, MAJORITY, Method, network_settings
from elrcn.experiments.tasks import EMOTION_ABLATION
from elrcn.experiments.weights import Options, initial_weights
from elrcn.session import Session

#: Side in pixels of the frames whose grey values an LSTM sees (Section IV-E2).
PIXELS = 50

#: Input and network of all that reads the fine-tuned flow network; fc7 is read unless it is said.
FLOW_TUNED = "Flow, VGG fine-tuned"
_THREE = ("flow", "strain", "grey")
# Name of the method, words for a label, streams.
_SINGLE = tuple((name, name.capitalize(), (name,)) for name in ("grey", "flow", "strain"))
_SCRATCH = (*_SINGLE, ("all", "Five channels", ("all",)))
# Weights learned on photographs take three channels, so five channels become three networks.
_TUNED = (*_SINGLE, ("all", "Three streams", _THREE))


Builder = Callable[..., BaseEstimator]


def _settings(session: Session, *left_out: str) -> dict:
    return {k: v for k, v in network_settings(session).items() if k not in left_out}


def _lstm(session: Session, units: Sequence[int]):
    return replace(session.profile.temporal, units=scaled_units(session.profile, units))


def _fine_tuning(session: Session, options: Options) -> dict:
    weights = initial_weights(session, options)
    return {
        "spatial_train": session.profile.finetune_train,
        "pretrained": None if weights is None else str(weights),
    }


def _from_scratch(streams: tuple[str, ...], vote: str = "majority") -> Builder:
    def build(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
        from elrcn.models.estimators import SpatialOnly

        return SpatialOnly(
            streams=streams,
            vote=vote,
            spatial_train=session.profile.spatial_train,
            **_settings(session, "temporal", "temporal_train"),
        )

    return build


def _fine_tuned(streams: tuple[str, ...], vote: str = "majority") -> Builder:
    def build(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
        from elrcn.models.estimators import SpatialOnly

        return SpatialOnly(
            streams=streams,
            vote=vote,
            **_fine_tuning(session, options),
            **_settings(session, "temporal", "temporal_train"),
        )

    return build


def _frozen(streams: tuple[str, ...]) -> Builder:
    def build(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
        from elrcn.models.estimators import FrozenFeatureSVM

        return FrozenFeatureSVM(
            streams=streams,
            pretrained=_fine_tuning(session, options)["pretrained"],
            **_settings(session, "temporal", "temporal_train", "feature_store"),
        )

    return build


def _pixels(units: tuple[int, ...]) -> Builder:
    def build(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
        from elrcn.models.estimators import TemporalOnly

        return TemporalOnly(
            temporal=_lstm(session, units),
            pixels=min(PIXELS, session.profile.preprocess.size),
            stream="grey",
            **_settings(session, "temporal", "vgg", "feature_store"),
        )

    return build


def _flow_features(units: tuple[int, ...], layer: str = "fc7") -> Builder:
    def build(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
        from elrcn.models.estimators import ELRCN

        return ELRCN(
            streams=("flow",),
            layer=layer,
            temporal=_lstm(session, units),
            **_fine_tuning(session, options),
            **_settings(session, "temporal"),
        )

    return build


def _read_by_lstm(
    name: str, words: str, units: tuple[int, ...], build: Builder, group: str, layer="", **more
) -> Method:
    """Make a method whose label says the input, the network and the LSTM that reads it."""

    def named(profile: Profile | None) -> tuple[str, str]:
        return f"{words}, {lstm_text(units, profile)}{layer}", group

    return Method(name, named(None)[0], build, group=group, named=named, **more)


def _lstm_methods(words: str, builder: Callable[[tuple[int, ...]], Builder], **more):
    return tuple(
        _read_by_lstm(
            name,
            words,
            units,
            builder(units),
            "one layer" if len(units) == 1 else "two layers",
            **more,
        )
        for name, units in LSTMS.items()
    )


_SPATIAL = (
    *(
        Method(f"scratch_{name}", f"{words}, VGG from scratch, votes",
               _from_scratch(streams),
               group="from scratch")
        for name, words, streams in _SCRATCH
    ),
    *(
        Method(f"tuned_{name}", f"{words}, VGG fine-tuned, votes", _fine_tuned(streams),
               starts_from_weights=True, group="fine-tuned")
        for name, words, streams in _TUNED
    ),
    *(
        Method(f"svm_{name}", f"{words}, VGG frozen, SVM votes", _frozen(streams),
               starts_from_weights=True, group="frozen features + SVM")
        for name, words, streams in _TUNED
    ),
    # Where networks are not kept each of these trains again, so not every row is read twice.
    *(
        Method(f"scratch_{name}_mean", f"{words}, VGG from scratch, mean of frames",
               _from_scratch(streams, "mean"),
               group="mean probability, not votes")
        for name, words, streams in _SCRATCH if name in ("flow", "all")
    ),
    *(
        Method(f"tuned_{name}_mean", f"{words}, VGG fine-tuned, mean of frames",
               _fine_tuned(streams, "mean"), starts_from_weights=True,
               group="mean probability, not votes")
        for name, words, streams in _TUNED if name in ("flow", "all")
    ),
)  # fmt: skip

_NOTHING = replace(MAJORITY, group="no learning")
_BASELINE = replace(LBP_TOP, group="the paper's baseline")
_FC = tuple(
    _read_by_lstm(
        layer,
        FLOW_TUNED,
        FIGURE7_UNITS,
        _flow_features(FIGURE7_UNITS, layer),
        words,
        " on fc6" if layer == "fc6" else "",
        starts_from_weights=True,
    )
    for layer, words in (("fc6", "second last FC (fc6)"), ("fc7", "last FC (fc7)"))
)

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "figure5",
        "Figure 5",
        "The spatial module alone: VGG on single frames",
        EMOTION_ABLATION,
        (_NOTHING, _BASELINE, *_SPATIAL),
        "spatial_only",
    ),
    Experiment(
        "figure6",
        "Figure 6",
        "The temporal module alone: grey pixels into LSTMs",
        EMOTION_ABLATION,
        (_NOTHING, _BASELINE, *_lstm_methods("Grey pixels", _pixels)),
        "temporal_only",
    ),
    Experiment(
        "figure7",
        "Figure 7",
        "Flow features of the last and the second last FC layer under one LSTM",
        EMOTION_ABLATION,
        (_NOTHING, *_FC),
        "spatio_temporal",
    ),
    Experiment(
        "figure8",
        "Figure 8",
        "Flow features of the last FC layer under five LSTMs",
        EMOTION_ABLATION,
        (_NOTHING, *_lstm_methods(FLOW_TUNED, _flow_features, starts_from_weights=True)),
        "spatio_temporal",
    ),
)
