"""Section V: more interpolated frames, and augmentation, which the authors left for later."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from sklearn.base import BaseEstimator

from elrcn.config import PreprocessConfig, Profile, TrainConfig
from elrcn.experiments.experiment import Experiment
from elrcn.experiments.methods import MAJORITY, SE, TE, Method
from elrcn.experiments.modules import FLOW_TUNED
from elrcn.experiments.tasks import EMOTION_ABLATION
from elrcn.experiments.weights import Options
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
    """Preprocessing of a profile with another T.

    Parameters
    ----------
    config : PreprocessConfig
        The profile's.
    length : int
        T; 0 for none.
    """
    changed = replace(config, tim_length=length)
    if is_reduced(config):
        changed = replace(
            changed, flow_size=config.flow_size // 2, max_frames=0 if length else MOST_FRAMES
        )
    return changed


def tim_train(train: TrainConfig, config: PreprocessConfig, length: int) -> TrainConfig:
    """Training of a spatial network on clips of `length` frames.

    Where preprocessing is reduced, each network sees about as many frames as in `SHARE` of the
    profile's epochs at the paper's T: fewer epochs of longer clips. Otherwise the profile's
    epochs stay.
    """
    from elrcn.models.estimators import fewer_epochs

    if not is_reduced(config):
        return train
    return fewer_epochs(train, ((length or MOST_FRAMES) - 1) / (PAPER_LENGTH - 1) / SHARE)


def tim_settings(session: Session) -> pd.DataFrame:
    """Say what the comparison of lengths does under a profile, a row a length.

    Returns
    -------
    DataFrame
        Index ``T`` (text); columns ``frames at most``, ``width of the flow (px)``,
        ``epochs of SE at most``, and ``epochs`` and ``streams of the other``.
    """
    profile, rows = session.profile, {}
    for length in LENGTHS:
        config = tim_preprocess(profile.preprocess, length)
        trains = (
            tim_train(train, profile.preprocess, length)
            for train in (profile.spatial_train, profile.finetune_train)
        )
        rows[length_text(length)] = (
            str(config.tim_length or config.max_frames or "all"),
            config.flow_size,
            *(train.max_epochs for train in trains),
            ", ".join(_streams(profile.preprocess)),
        )
    columns = (
        "frames at most",
        "width of the flow (px)",
        "epochs of SE at most",
        "epochs of the other at most",
        "streams of the other",
    )
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("T")


def length_text(length: int) -> str:
    """T for a label: "10", or "no TIM"."""
    return str(length) if length else "no TIM"


def _streams(config: PreprocessConfig) -> tuple[str, ...]:
    return ("flow",) if is_reduced(config) else ("flow", "strain", "grey")


def _tim_method(base: Method, length: int) -> Method:
    def build(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
        estimator, config = base.build(session, options), session.profile.preprocess
        if base is TE:
            estimator.set_params(streams=_streams(config))
        return estimator.set_params(
            spatial_train=tim_train(estimator.spatial_train, config, length)
        )

    text = f"T = {length}" if length else length_text(length)

    def named(profile: Profile) -> tuple[str, str]:
        # With its flow stream alone TE is not ELRCN-TE.
        whole = base is SE or _streams(profile.preprocess) != ("flow",)
        network = base.label if whole else f"{FLOW_TUNED}, LSTM"
        return f"{network}, {text}", network

    return Method(
        f"{base.name}_t{length}" if length else f"{base.name}_no_tim",
        f"{base.label}, {text}",
        build,
        preprocess=lambda config: tim_preprocess(config, length),
        starts_from_weights=base.starts_from_weights,
        group=base.label,
        named=named,
    )


def augmented(
    base: Method, variants: tuple[str, ...] = VARIANTS, same_updates: bool | None = None
) -> Method:
    """Train the networks of `base` on its training clips and on variants of them.

    Parameters
    ----------
    base : Method
        Of networks with `spatial_train` and `temporal_train`.
    variants : tuple of str
        See `elrcn.preprocess.clips.transform`.
    same_updates : bool, optional
        Divide the epochs of both stages by the number of clips that each clip becomes, so that
        as many updates are made as without augmentation. Otherwise every epoch is that much
        longer. Default: as `is_reduced` says.

    Returns
    -------
    Method
        It builds a `elrcn.models.estimators.TrainAugmented`.
    """

    def build(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
        from elrcn.models.estimators import TrainAugmented, fewer_epochs

        estimator = base.build(session, options)
        made = TrainAugmented(estimator, variants)
        fewer = is_reduced(session.profile.preprocess) if same_updates is None else same_updates
        for stage in ("spatial_train", "temporal_train") if fewer else ():
            train = fewer_epochs(getattr(estimator, stage), made.clips_factor)
            estimator.set_params(**{stage: train})
        return made

    return replace(
        base,
        name=f"{base.name}_augmented",
        label=f"{base.label}, augmented",
        build=build,
        input="augmented",
        published="",
        group=base.label,
    )


def tim_lengths(profile: Profile) -> dict[str, tuple[str, int]]:
    """Label of each method that varies T to its network and its length (0: no TIM)."""
    found = {}
    for base in (SE, TE):
        for length in LENGTHS:
            method = _tim_method(base, length).under(profile)
            found[method.label] = (method.group, length)
    return found


_NOTHING = replace(MAJORITY, group="no learning")

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "tim",
        "Section V, interpolation",
        "More or fewer interpolated frames: TIM length 6 to 20, and no TIM",
        EMOTION_ABLATION,
        (_NOTHING, *(_tim_method(base, length) for base in (SE, TE) for length in LENGTHS)),
        "more_data",
    ),
    Experiment(
        "augmentation",
        "Section V, augmentation",
        "Trained with mirrored, turned and cropped copies of the training clips",
        EMOTION_ABLATION,
        (
            _NOTHING,
            replace(SE, published="", group=SE.label),
            augmented(SE),
            replace(TE, published="", group=TE.label),
            augmented(TE),
        ),
        "more_data",
    ),
)
