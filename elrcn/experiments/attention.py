"""Figure 9: where the network looks, and whether something moved there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from elrcn.evaluation.statistics import interval, resamples
from elrcn.experiments.attention_maps import MAPS, MEASURES, measure_protocol
from elrcn.experiments.experiment import Experiment
from elrcn.experiments.methods import SE
from elrcn.experiments.tasks import EMOTION_LOSO
from elrcn.experiments.weights import Options
from elrcn.session import Session

#: Protocol as `measure` names it, and the experiment whose folds and networks it takes.
PROTOCOLS = {"LOSO": "table1", "CDE": "table2"}
#: What `summarise` gives: hits as counted strictly, with a tolerance, and so by class; energy.
SCORES = ("hit", "hit_tolerant", "hit_by_class", "energy")


def measure(session: Session, options: Options = Options()) -> pd.DataFrame:  # noqa: B008
    """Grad-CAM of every test clip under LOSO and CDE, held against where something moved.

    The networks are those that ELRCN-SE has trained for Tables I and II: the same folds, clips,
    settings and seeds, so that the shared store gives them; where it does not (the full VGG-16 is
    not kept), they are trained again. A clip is shown to the network of the fold that left its
    subject out, and to no other. Folds are stored as they end, and an interrupted run resumes.

    Parameters
    ----------
    session : Session
        Data and settings. Masks of action units exist in the embedded corpus only: with other
        data the scores and `mask_share` are NaN, and the maps can still be drawn.
    options : Options
        Not used: ELRCN-SE is trained from scratch.

    Returns
    -------
    DataFrame
        A row for each clip and kind of maps under each protocol:

        ``protocol``, ``fold``, ``clip_id``, ``subject``, ``true``, ``predicted``, ``right``
            ``predicted`` is the class of greatest mean probability over the clip's frames: the
            answer of the network that is explained, before the temporal stage.
        ``maps``
            "trained": of the network; "other": the same network's maps of the subject's other
            clips, each scored with this clip's mask (NaN where there is none); "untrained": of the
            network before training, asked for the same class; "random": mean of 20 maps drawn
            blindly.
        ``hit``, ``hit_tolerant``, ``energy``, ``mask_share``
            `elrcn.explain.pointing_game` without and with `elrcn.explain.pointing_tolerance` and
            `elrcn.explain.energy_inside` for the predicted class, and the share of the picture in
            the mask, which is what blind maps score in `hit` and `energy`. 0..1.
        ``hit_true``, ``hit_tolerant_true``, ``energy_true``
            The same for the maps of the true class; NaN where the class was not trained.

    Raises
    ------
    ElrcnError
        If a database is missing or results cannot be written.
    """
    parts = [measure_protocol(session, *item) for item in PROTOCOLS.items()]
    return pd.concat(parts, ignore_index=True)


def summarise(table: pd.DataFrame, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Mean scores of each kind of maps, and how much the trained network's exceed the others'.

    Parameters
    ----------
    table : DataFrame
        From `measure`, or clips chosen from it.
    draws, seed : int
        Resamples of the subjects behind each 95% interval, and their seed.

    Returns
    -------
    DataFrame
        A row for each protocol and kind of maps, then a row "trained - <other kind>" for each
        difference, over the clips that both have: ``protocol``, ``maps``, ``clips``,
        ``subjects``, and `SCORES` with ``_low`` and ``_high``, and ``mask_share``.
        ``hit_by_class`` is the mean over the true classes of each class's ``hit_tolerant``, as
        Zhang et al. 2016 average (doi 10.1007/978-3-319-46493-0_33). No rows where no clip has a
        mask (licensed databases).
    """
    rows = []
    for protocol, part in table.groupby("protocol", sort=False):
        wide = {m: part.pivot(index="clip_id", columns="maps", values=m) for m in MEASURES}
        first = part.drop_duplicates("clip_id").set_index("clip_id")
        kinds = [kind for kind in MAPS if kind in wide["hit"]]
        pairs = [(kind,) for kind in kinds] + [("trained", kind) for kind in kinds[1:]]
        for pair in pairs:
            values = pd.DataFrame(
                {m: wide[m][pair[0]] - (wide[m][pair[1]] if pair[1:] else 0) for m in MEASURES}
            ).dropna()
            if values.empty or (pair[1:] and "trained" not in kinds):
                continue
            clips = first.loc[values.index]
            entry = {
                "protocol": protocol,
                "maps": " - ".join(pair),
                "clips": len(values),
                "subjects": clips["subject"].nunique(),
            }
            entry |= _scores(values, clips, draws, seed)
            entry["mask_share"] = clips["mask_share"].mean()
            rows.append(entry)
    ends = [name + end for name in SCORES for end in ("", "_low", "_high")]
    columns = ["protocol", "maps", "clips", "subjects", *ends, "mask_share"]
    return pd.DataFrame(rows, columns=columns)


def _scores(values: pd.DataFrame, clips: pd.DataFrame, draws: int, seed: int) -> dict[str, float]:
    """`SCORES` of clips and their intervals, from the measures of each."""
    by_class = values["hit_tolerant"].groupby(clips["true"]).mean().mean()
    points = values.mean().to_dict() | {"hit_by_class": by_class}
    means = subject_means(values.to_numpy(), clips["subject"], draws, seed)
    near = values[["hit_tolerant"]].to_numpy()
    near = subject_means(near, clips["subject"], draws, seed, clips["true"])
    low, high = interval(np.hstack([means, near]), clips["subject"].nunique())
    ends = dict(zip([*values, "hit_by_class"], zip(low, high, strict=True), strict=True))
    found = {}
    for name in SCORES:
        found[name] = points[name]
        found[f"{name}_low"], found[f"{name}_high"] = ends[name]
    return found


def subject_means(
    values: np.ndarray, subjects, draws: int, seed: int = 0, classes=None
) -> np.ndarray:
    """Means over clips when whole subjects are drawn with replacement.

    Parameters
    ----------
    values : ndarray (clips, k)
        Numbers of each clip.
    subjects : array-like (clips,)
        Whose clip it is.
    draws, seed : int
        Resamples, and their seed: the same subjects give the same resamples, so that differences
        of kinds of maps are paired.
    classes : array-like (clips,), optional
        Class of each clip: give means over the classes' means. A class of which a resample has no
        clip is left out of it, as in UAR.

    Returns
    -------
    ndarray (draws, k)
    """
    names, index = np.unique(np.asarray(subjects, str), return_inverse=True)
    classes = [""] * len(index) if classes is None else np.asarray(classes, str)
    kinds, kind = np.unique(classes, return_inverse=True)
    sums = np.zeros((len(names), len(kinds), values.shape[1]))
    counts = np.zeros(sums.shape[:2])
    np.add.at(sums, (index, kind), values)
    np.add.at(counts, (index, kind), 1)
    drawn = resamples(len(names), draws, np.random.default_rng(seed))
    clips = (drawn @ counts)[:, :, None]
    pooled = np.tensordot(drawn, sums, 1)
    means = np.divide(pooled, clips, out=np.full(pooled.shape, np.nan), where=clips > 0)
    return np.nanmean(means, axis=1)


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "figure9",
        "Figure 9",
        "Where ELRCN-SE's spatial network looks: Grad-CAM against action-unit masks, LOSO and CDE",
        EMOTION_LOSO,
        (SE,),
        "gradcam",
        measure=measure,
        summarise=summarise,
    ),
)
