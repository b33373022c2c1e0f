"""Section V: more interpolated frames, and augmentation, which the authors left for later."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd
from sklearn.base import BaseEstimator

from elrcn.config import PreprocessConfig, Profile, TrainConfig
from elrcn.experiments.methods import FLOW_TUNED, SE, TE, Method, streams_of
from elrcn.models.estimators import fewer_epochs
from elrcn.preprocess.clips import VARIANTS
from elrcn.session import Session

#: Frames a clip after temporal interpolation; 0 keeps the clip's own (no TIM).
LENGTHS = (6, 10, 15, 20, 0)
#: The paper's T, under which the number of epochs is meant.
PAPER_LENGTH = 10
#: Frames of a clip that are kept without TIM where preprocessing is reduced.
MOST_FRAMES = 40
#: Share of a profile's epochs at the paper's T where preprocessing is reduced.
SHARE = 0.6


def is_reduced(config: PreprocessConfig) -> bool:
    """Whether the networks' input is at most half as wide as the pictures flow is computed on.

    So it is in the small profiles and not in "paper". The comparison of lengths then takes half
    that width, which leaves enough for the input, cuts clips without TIM and scales epochs: ten
    times as many frames would otherwise cost ten times as much.
    """
    return config.flow_size >= 2 * config.size


def tim_preprocess(config: PreprocessConfig, length: int) -> PreprocessConfig:
    """Preprocessing of a profile, `config`, with another T; `length` 0 for none."""
    if not is_reduced(config):
        return replace(config, tim_length=length)
    most = 0 if length else MOST_FRAMES
    return replace(config, tim_length=length, flow_size=config.flow_size // 2, max_frames=most)


def tim_train(train: TrainConfig, config: PreprocessConfig, length: int) -> TrainConfig:
    """Training of a spatial network on clips of `length` frames.

    Where preprocessing is reduced, each network sees about as many frames as in `SHARE` of the
    profile's epochs at the paper's T: fewer epochs of longer clips. Otherwise the profile's
    epochs stay.
    """
    if not is_reduced(config):
        return train
    return fewer_epochs(train, ((length or MOST_FRAMES) - 1) / (PAPER_LENGTH - 1) / SHARE)


def tim_settings(session: Session) -> pd.DataFrame:
    """Say what the comparison of lengths does under a profile, a row a length.

    Index ``T`` (text); columns ``frames at most``, ``width of the flow (px)``,
    ``epochs of SE at most``, and ``epochs`` and ``streams of the other``.
    """
    profile, rows = session.profile, {}
    for length in LENGTHS:
        config = tim_preprocess(profile.preprocess, length)
        se, te = (
            tim_train(train, profile.preprocess, length).max_epochs
            for train in (profile.spatial_train, profile.finetune_train)
        )
        rows[str(length) if length else "no TIM"] = {
            "frames at most": str(config.tim_length or config.max_frames or "all"),
            "width of the flow (px)": config.flow_size,
            "epochs of SE at most": se,
            "epochs of the other at most": te,
            "streams of the other": ", ".join(_streams(profile.preprocess)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("T")


def _streams(config: PreprocessConfig) -> tuple[str, ...]:
    return ("flow",) if is_reduced(config) else ("flow", "strain", "grey")


def _other_length(estimator: BaseEstimator, profile: Profile, length: int) -> dict:
    config = profile.preprocess
    changes = {"spatial_train": tim_train(estimator.spatial_train, config, length)}
    several = len(streams_of(estimator)) > 1
    return changes | ({"streams": _streams(config)} if several else {})


def _te_named(method: Method, profile: Profile) -> tuple[str, str]:
    """With its flow stream alone TE is not ELRCN-TE."""
    network = TE.label if len(_streams(profile.preprocess)) > 1 else f"{FLOW_TUNED}, LSTM"
    return method.label.replace(TE.label, network), network


def _tim_method(base: Method, length: int) -> Method:
    name, text = (f"t{length}", f"T = {length}") if length else ("no_tim", "no TIM")
    return replace(
        base,
        name=f"{base.name}_{name}",
        label=f"{base.label}, {text}",
        published="",
        group=base.label,
        change=partial(_other_length, length=length),
        preprocess=partial(tim_preprocess, length=length),
        named=_te_named if base is TE else None,
    )


#: Every network at every length.
TIM = tuple(_tim_method(base, length) for base in (SE, TE) for length in LENGTHS)


def tim_lengths(profile: Profile) -> dict[str, tuple[str, int]]:
    """Label of each method that varies T to its network and its length (0: no TIM)."""
    named = [method.under(profile) for method in TIM]
    return {m.label: (m.group, n) for m, n in zip(named, 2 * LENGTHS, strict=True)}


def _as_many_updates(estimator: BaseEstimator, profile: Profile) -> dict:
    """Fewer epochs of both stages where preprocessing is reduced; else each epoch is longer."""
    if not is_reduced(profile.preprocess):
        return {}
    # Each clip becomes itself and its variants.
    return {
        stage: fewer_epochs(getattr(estimator, stage), 1 + len(VARIANTS))
        for stage in ("spatial_train", "temporal_train")
    }


def augmented(base: Method) -> Method:
    """Train the networks of `base` on its training clips and on variants of them.

    Where `is_reduced` says so, as many updates are made as without augmentation; otherwise every
    epoch is longer by as many times as there are more clips.
    """
    return replace(
        base,
        name=f"{base.name}_augmented",
        label=f"{base.label}, augmented",
        input="augmented",
        published="",
        group=base.label,
        change=_as_many_updates,
    )


AUGMENTATION = tuple(
    method
    for base in (SE, TE)
    for method in (replace(base, published="", group=base.label), augmented(base))
)
