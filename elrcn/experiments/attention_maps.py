"""Grad-CAM of one protocol's test clips, scored against the corpus' masks and stored by fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from elrcn.config import canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.evaluation.protocols import Fold, check_folds
from elrcn.evaluation.runner import (
    fixed_threads,
    fold_seed,
    missing_folds,
    seeded_clone,
    set_aside_damaged,
)
from elrcn.evaluation.store import RunStore
from elrcn.experiments.attention_masks import input_masks
from elrcn.experiments.methods import SE
from elrcn.explain import (
    cam_grid,
    clip_map,
    energy_inside,
    grad_cam,
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
from elrcn.models.estimators import SpatialOnly, stage_seed
from elrcn.models.spatial_stage import untrained_network
from elrcn.session import Session

#: Kinds of maps, in the order of tables and figures.
MAPS = ("trained", "other", "untrained", "random")
#: Of a clip's map: highest point inside a mask, highest point close enough to one, energy inside.
MEASURES = ("hit", "hit_tolerant", "energy")
#: Blind maps drawn for each clip.
RANDOM_MAPS = 20
_NOT_IDENTITY = {"feature_store", "progress", "device", "random_state"}
_CODE = (
    "models", "preprocess", "explain.py", "evaluation/runner.py", "corpus/truth.py",
    "corpus/person.py",
)  # fmt: skip
# Not what these import: labels and captions of other experiments have no part in a map.
_OWN_CODE = ("experiments/attention_maps.py", "experiments/attention_masks.py")


def spatial_part(session: Session) -> SpatialOnly:
    """ELRCN-SE's spatial network alone, answering by the mean probability of a clip's frames.

    With the seed of a fold it is the network that ELRCN-SE trains in that fold, and where the
    session keeps networks, it is taken from there.
    """
    se = SE.build(session).get_params(deep=False)
    known = SpatialOnly().get_params(deep=False)
    shared = {name: value for name, value in se.items() if name in known}
    return SpatialOnly(**shared, streams=se["streams"], vote="mean")


def measure_protocol(session: Session, protocol: str, name: str) -> pd.DataFrame:
    """Rows of `elrcn.experiments.attention.measure` under the folds of experiment `name`."""
    p, model, store = _open(session, protocol, name)
    table = p.manifest.table[["clip_id", "subject"]]
    folds = check_folds(p.folds, table["subject"])
    store.plan([fold.name for fold in folds])
    lost = {f.name for f in missing_folds(folds, store, table["clip_id"])}
    missing = [f for f in folds if f.name in lost or not is_whole(_maps_path(store, f.name))]
    if missing:
        X = session.clips(p.manifest, SE.preprocess(session.profile.preprocess))
        masks = input_masks(p.manifest, session)
        seed = session.seed + SE.seed
        threads = session.profile.threads_per_fold
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


def stored_maps(session: Session, protocol: str, name: str) -> dict[str, np.ndarray]:
    """Clip id to the trained network's map for the predicted class, as `measure` has scored it.

    Returns
    -------
    dict of str to ndarray (size, size)
        float32, 0..1: `elrcn.explain.clip_map`.

    Raises
    ------
    ElrcnError
        If the maps were not measured yet.
    """
    p, _, store = _open(session, protocol, name)
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


def _open(session: Session, protocol: str, name: str):
    from elrcn.experiments.running import plan

    p, model = plan(name, session), spatial_part(session)
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
        model = seeded_clone(model, fold_seed(seed, fold.name)).fit(
            X[fold.train], labels[fold.train]
        )
        (stream,) = model.streams
        network = model.networks_[stream]
        start = untrained_network(
            network.spec, X[fold.train], len(model.classes_),
            seed=stage_seed(model.random_state, stream), device=model.device, threads=threads,
        )  # fmt: skip
        clips = X[fold.test]
        predicted = model.predict(clips)
        true = labels[fold.test]
        # A class without training clips has no output to explain.
        known = np.isin(true, model.classes_)
        answers = np.searchsorted(model.classes_, predicted)
        wanted = np.where(known, np.searchsorted(model.classes_, true), 0)
        wanted = np.minimum(wanted, len(model.classes_) - 1)
        maps = {
            kind: (clip_map(grad_cam(one, clips, answers)), clip_map(grad_cam(one, clips, wanted)))
            for kind, one in (("trained", network), ("untrained", start))
        }
    ids = table["clip_id"].to_numpy()[fold.test]
    grid, size = cam_grid(network.spec.vgg), network.spec.vgg.size
    values = []
    for i, clip in enumerate(ids):
        mask = masks[fold.test[i]]
        blind = random_maps(RANDOM_MAPS, grid, size, fold_seed(seed, clip))
        of = maps["trained"][0]
        groups = {
            "trained": of[i : i + 1],
            "other": np.delete(of, i, axis=0),
            "untrained": maps["untrained"][0][i : i + 1],
            "random": blind,
            "trained_true": maps["trained"][1][i : i + 1] if known[i] else (),
            "untrained_true": maps["untrained"][1][i : i + 1] if known[i] else (),
        }
        values.append(_scores(groups, mask))
    rows = pd.DataFrame(
        {
            "clip_id": ids,
            "subject": table["subject"].to_numpy()[fold.test],
            "true": true,
            "predicted": predicted,
        }
    ).join(pd.DataFrame(values))
    # The rows last: they say that the fold is done.
    write_array(_maps_path(store, fold.name), maps["trained"][0].astype(np.float16))
    store.write_fold(fold.name, rows)
    return fold.name


def _scores(groups, mask) -> dict[str, float]:
    """Mean scores of each group of maps, under the prefix that a `RunStore` keeps numbers by."""
    scores = {"p_mask_share": np.nan if mask is None else float(mask.mean())}
    for kind, maps in groups.items():
        usable = [] if mask is None or not mask.any() else maps
        each = np.array([_measured(one, mask) for one in usable]).reshape(-1, len(MEASURES))
        means = each.mean(0) if len(each) else [np.nan] * len(MEASURES)
        scores |= {f"p_{kind}_{m}": float(v) for m, v in zip(MEASURES, means, strict=True)}
    return scores


def _measured(cam: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """`MEASURES` of one map."""
    near = pointing_game(cam, mask, pointing_tolerance(len(cam)))
    return pointing_game(cam, mask), near, energy_inside(cam, mask)


def _long(rows: pd.DataFrame, protocol: str) -> pd.DataFrame:
    clips = rows[["fold", "clip_id", "subject", "true", "predicted"]].copy()
    clips.insert(0, "protocol", protocol)
    clips["right"] = clips["true"] == clips["predicted"]
    parts = []
    for kind in MAPS:
        part = clips.assign(maps=kind)
        for name in MEASURES:
            part[name] = rows[f"p_{kind}_{name}"]
            # Blind maps know no class.
            of = "p_random_" if kind == "random" else f"p_{kind}_true_"
            part[f"{name}_true"] = rows[of + name] if of + name in rows else np.nan
        part["mask_share"] = rows["p_mask_share"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
