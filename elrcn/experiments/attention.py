"""Figure 9: where the network looks, and whether something moved there.

Grad-CAM of the test clips of two protocols, scored against the synthetic dataset's masks and
stored by fold. Only the measure reads this truth, once networks are trained; no network sees it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from elrcn.config import PreprocessConfig, canonical, config_hash
from elrcn.corpus.truth import Truth, load_truth
from elrcn.errors import ElrcnError
from elrcn.evaluation.protocols import Fold, check_folds
from elrcn.evaluation.runner import (
    fixed_threads,
    fold_seed,
    missing_folds,
    seeded_clone,
    set_aside_damaged,
)
from elrcn.evaluation.statistics import interval, resamples
from elrcn.evaluation.store import RunStore
from elrcn.experiments.methods import SE
from elrcn.experiments.plans import Plan, plan
from elrcn.explain import (
    cam_grid,
    clip_map,
    energy_inside,
    grad_cam,
    mask_to_input,
    pointing_game,
    pointing_tolerance,
    random_maps,
)
from elrcn.files import (
    code_hash,
    is_whole,
    library_versions,
    read_array,
    set_aside,
    side_by_side,
    write_array,
)
from elrcn.manifest import Manifest
from elrcn.models.estimators import SpatialOnly, stage_seed
from elrcn.models.spatial_stage import untrained_network
from elrcn.preprocess.clips import resize
from elrcn.preprocess.faces import Crop, find_crops
from elrcn.session import Session

#: Protocol as `measure` names it, and the experiment whose folds and networks it takes.
PROTOCOLS = {"LOSO": "table1", "CDE": "table2"}
#: What `summarise` gives: hits as counted strictly, with a tolerance, and so by class; energy.
SCORES = ("hit", "hit_tolerant", "hit_by_class", "energy")

#: Kinds of maps, in the order of tables and figures.
MAPS = ("trained", "other", "untrained", "random")
#: Of a clip's map: highest point inside a mask, highest point close enough to one, energy inside.
MEASURES = ("hit", "hit_tolerant", "energy")
#: Blind maps drawn for each clip.
RANDOM_MAPS = 20
#: ELRCN-SE's spatial network alone, answering by the mean probability of a clip's frames. With the
#: seed of a fold it is the network that ELRCN-SE trains in that fold, and where the session keeps
#: networks, it is taken from there.
SPATIAL = replace(SE, estimator=SpatialOnly, settings={"streams": ("all",), "vote": "mean"})
_NOT_IDENTITY = {"feature_store", "progress", "device", "random_state"}
_CODE = (
    "models", "preprocess", "explain.py", "evaluation/runner.py", "corpus/truth.py",
    "corpus/person.py",
)  # fmt: skip
# Not what it imports: labels and captions of other experiments have no part in a map.
_OWN_CODE = ("experiments/attention.py",)


def measure(session: Session) -> pd.DataFrame:
    """Grad-CAM of every test clip under LOSO and CDE, held against where something moved.

    The networks are those that ELRCN-SE has trained for Tables I and II: the same folds, clips,
    settings and seeds, so that the shared store gives them; where it does not (the full VGG-16 is
    not kept), they are trained again. A clip is shown to the network of the fold that left its
    subject out, and to no other. Folds are stored as they end, and an interrupted run resumes.

    Parameters
    ----------
    session : Session
        Data and settings. Masks of action units exist in the synthetic dataset only: with other
        data the scores and `mask_share` are NaN, and the maps can still be drawn.

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
    parts = [measure_protocol(session, protocol) for protocol in PROTOCOLS]
    return pd.concat(parts, ignore_index=True)


def measure_protocol(session: Session, protocol: str) -> pd.DataFrame:
    """Rows of `measure` under one protocol, a key of `PROTOCOLS`."""
    p, model, store = _open(session, protocol)
    table = p.manifest.table[["clip_id", "subject"]]
    folds = check_folds(p.folds, table["subject"])
    store.plan([fold.name for fold in folds])
    lost = {f.name for f in missing_folds(folds, store, table["clip_id"])}
    missing = [f for f in folds if f.name in lost or not is_whole(_maps_path(store, f.name))]
    if missing:
        X = session.clips(p.manifest, SE.preprocess(session.profile.preprocess))
        masks = input_masks(p.manifest, session)
        seed, threads = session.seed + SE.seed, session.profile.threads_per_fold
        set_aside_damaged(store, [fold for fold in missing if fold.name in lost])
        for fold in missing:
            if not is_whole(_maps_path(store, fold.name)):
                set_aside(_maps_path(store, fold.name))
        jobs = (
            (_run_fold, model, X, table, p.labels, masks, fold, store, seed, threads)
            for fold in missing
        )
        for _ in side_by_side(
            jobs, len(missing), title=f"Grad-CAM ({protocol})", unit="fold", total=len(folds),
            workers=session.fold_workers, progress=session.progress,
        ):  # fmt: skip
            pass
    return _long(store.rows(), protocol)


def stored_maps(session: Session, protocol: str) -> dict[str, np.ndarray]:
    """Clip id to the trained network's map for the predicted class, as `measure` has scored it.

    A map is `elrcn.explain.clip_map`, float32 (size, size), 0..1. Raises `ElrcnError` if the maps
    were not measured yet.
    """
    p, _, store = _open(session, protocol)
    maps, clips = {}, p.manifest.table["clip_id"].to_numpy()
    for fold in p.folds:
        values = read_array(_maps_path(store, fold.name))
        if values is None:
            raise ElrcnError(
                f"The maps of fold {fold.name} are not there.",
                where=store.folder,
                fix="run `elrcn run figure9` with the same settings first",
            )
        maps |= zip(clips[fold.test], values.astype(np.float32), strict=True)
    return maps


def _open(session: Session, protocol: str) -> tuple[Plan, SpatialOnly, RunStore]:
    p, model = plan(PROTOCOLS[protocol], session), SPATIAL.build(session)
    settings = model.get_params(deep=False).items()
    card = {
        "experiment": "figure9",
        "protocol": protocol,
        "task": p.experiment.task.name,
        "profile": session.profile.name,
        "manifest": p.manifest.hash,
        "masks": session.corpus_root is not None,
        "preprocess": canonical(SE.preprocess(session.profile.preprocess)),
        "network": {key: repr(v) for key, v in sorted(settings) if key not in _NOT_IDENTITY},
        "seed": session.seed + SE.seed,
        "device": session.device,
        "versions": library_versions(),
        "code": code_hash(*_CODE, alone=_OWN_CODE),
    }
    folder = session.workspace.runs / "figure9" / f"{protocol.lower()}-{config_hash(card)}"
    return p, model, RunStore(folder, card)


def _maps_path(store: RunStore, fold: str) -> Path:
    return store.folder / f"maps-{config_hash(fold)}.npy"


def _run_fold(model, X, table, labels, masks, fold: Fold, store: RunStore, seed, threads):
    with fixed_threads(threads):
        model = seeded_clone(model, fold_seed(seed, fold.name))
        model.fit(X[fold.train], labels[fold.train])
        (stream,) = model.streams
        network, classes = model.networks_[stream], model.classes_
        start = untrained_network(
            network.spec, X[fold.train], len(classes),
            seed=stage_seed(model.random_state, stream), device=model.device, threads=threads,
        )  # fmt: skip
        clips, true = X[fold.test], labels[fold.test]
        predicted = model.predict(clips)
        # A class without training clips has no output to explain.
        known = np.isin(true, classes)
        answers = np.searchsorted(classes, predicted)
        wanted = np.minimum(np.where(known, np.searchsorted(classes, true), 0), len(classes) - 1)
        maps = {
            kind: (clip_map(grad_cam(one, clips, answers)), clip_map(grad_cam(one, clips, wanted)))
            for kind, one in (("trained", network), ("untrained", start))
        }
    rows = table.iloc[fold.test].reset_index(drop=True).assign(true=true, predicted=predicted)
    grid, size = cam_grid(network.spec.vgg), network.spec.vgg.size
    values = []
    for i, clip in enumerate(rows["clip_id"]):
        one = slice(i, i + 1)
        of_true = one if known[i] else slice(0)
        groups = {
            "trained": maps["trained"][0][one],
            "other": np.delete(maps["trained"][0], i, axis=0),
            "untrained": maps["untrained"][0][one],
            "random": random_maps(RANDOM_MAPS, grid, size, fold_seed(seed, clip)),
            "trained_true": maps["trained"][1][of_true],
            "untrained_true": maps["untrained"][1][of_true],
        }
        values.append(_map_scores(groups, masks[fold.test[i]]))
    rows = rows.join(pd.DataFrame(values))
    # The rows last: they say that the fold is done.
    write_array(_maps_path(store, fold.name), maps["trained"][0].astype(np.float16))
    store.write_fold(fold.name, rows)
    return fold.name


def _map_scores(groups, mask) -> dict[str, float]:
    """Mean scores of each group of maps: ``<kind>_<measure>``, and the mask's share."""
    scores = {"mask_share": np.nan if mask is None else float(mask.mean())}
    for kind, maps in groups.items():
        if mask is None or not mask.any() or not len(maps):
            means = [np.nan] * len(MEASURES)
        else:
            near = pointing_tolerance(len(mask))
            means = np.mean(
                [
                    (pointing_game(m, mask), pointing_game(m, mask, near), energy_inside(m, mask))
                    for m in maps
                ],
                axis=0,
            )
        scores |= {f"{kind}_{m}": float(v) for m, v in zip(MEASURES, means, strict=True)}
    return scores


def _long(rows: pd.DataFrame, protocol: str) -> pd.DataFrame:
    clips = rows[["fold", "clip_id", "subject", "true", "predicted"]].copy()
    clips.insert(0, "protocol", protocol)
    clips["right"] = clips["true"] == clips["predicted"]
    parts = []
    for kind in MAPS:
        part = clips.assign(maps=kind)
        for name in MEASURES:
            part[name] = rows[f"{kind}_{name}"]
            # Blind maps know no class.
            of = "random_" if kind == "random" else f"{kind}_true_"
            part[f"{name}_true"] = rows[of + name] if of + name in rows else np.nan
        part["mask_share"] = rows["mask_share"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def frame_mask(truth: Truth, crops: list[Crop] | None = None) -> np.ndarray:
    """Where any action unit of a clip moves the skin: 0 outside, 1 inside, float32.

    At the size of the frames, or of the crop where `elrcn.preprocess.faces.find_crops` found
    `crops`. Where there is one a frame, the onset's serves: the others keep the face where it was.
    """
    whole = np.zeros((truth.height, truth.width), np.float32)
    for mask in truth.masks.values():
        whole[mask] = 1
    return crops[0].apply(whole) if crops else whole


def input_mask(truth: Truth, crops: list[Crop] | None, config: PreprocessConfig) -> np.ndarray:
    """`frame_mask` on the network's input, bool (size, size), by the steps frames go through."""
    return mask_to_input(resize(frame_mask(truth, crops), config.flow_size), config.size)


def input_masks(manifest: Manifest, session: Session) -> list[np.ndarray | None]:
    """`input_mask` of every clip; None for all where the data are not the synthetic dataset."""
    root = session.corpus_root
    if root is None:
        return [None] * len(manifest)
    config = SE.preprocess(session.profile.preprocess)
    crops = crops_of_all(manifest, session)
    clips = manifest.table["clip_id"]
    return [input_mask(load_truth(root, c), k, config) for c, k in zip(clips, crops, strict=True)]


def crops_of_all(manifest: Manifest, session: Session) -> list[list[Crop] | None]:
    """Crops that preprocessing has applied to the clips of `manifest`."""
    config = SE.preprocess(session.profile.preprocess)
    cache = session.workspace.cache / "stacks"
    workers = session.preprocess_workers
    return find_crops(manifest, config.align, cache, workers, session.progress)[0]


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
    people, classes = clips["subject"], clips["true"]
    by_class = values["hit_tolerant"].groupby(classes).mean().mean()
    means = subject_means(values.to_numpy(), people, draws, seed)
    near = subject_means(values[["hit_tolerant"]].to_numpy(), people, draws, seed, classes)
    ends = interval(np.hstack([means, near]), people.nunique())
    names, points, found = [*values, "hit_by_class"], [*values.mean(), by_class], {}
    for name, point, low, high in zip(names, points, *ends, strict=True):
        found |= {name: point, f"{name}_low": low, f"{name}_high": high}
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
