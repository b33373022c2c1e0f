"""What the page of Figure 9 shows: which clips, on which frames, and the scores by group."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from elrcn.corpus.truth import load_truth
from elrcn.experiments import plan
from elrcn.experiments.attention import (
    PROTOCOLS,
    crops_of_all,
    frame_mask,
    stored_maps,
    summarise,
)
from elrcn.facs import parse
from elrcn.manifest import Manifest
from elrcn.preprocess.clips import read_grey
from elrcn.session import Session
from elrcn_book.html import interval_text
from elrcn_book.pictures import apex_index

#: How readers see the kinds of maps.
KINDS = {
    "trained": "trained network",
    "other": "same network, other clip",
    "untrained": "untrained network",
    "random": "random maps",
}

#: How readers see the scores.
SCORE_NAMES = {
    "hit": "hit rate",
    "hit_tolerant": "hit rate with tolerance",
    "hit_by_class": "with tolerance, mean over classes",
    "energy": "energy",
}

#: Pixels across one panel; it is drawn 150 wide, on sharp screens twice that.
_PANEL = 210


@dataclass(frozen=True)
class Overlay:
    """One clip's maps under both protocols, with the frame they are drawn on.

    Attributes
    ----------
    clip_id, units : str
        Clip, and its action units such as "4 + 7".
    frame : ndarray (height, width)
        Apex frame, 0..255, cropped as the network sees it.
    mask : ndarray of bool (height, width), or None
        Where an action unit moves the skin; None where nobody knows.
    maps : dict of str to ndarray (size, size)
        By protocol: `elrcn.explain.clip_map` for the predicted class.
    answers : dict of str to (str, str)
        By protocol: true and predicted class.
    """

    clip_id: str
    units: str
    frame: np.ndarray
    mask: np.ndarray | None
    maps: dict[str, np.ndarray]
    answers: dict[str, tuple[str, str]]


def units_of(manifest: Manifest) -> dict[str, list[int]]:
    """Clip id to the sorted numbers of its action units, alternatives included."""
    clips = zip(manifest.table["clip_id"], manifest.table["action_units"], strict=True)
    return {clip: sorted(parse(text).numbers) for clip, text in clips}


def chosen_clips(table: pd.DataFrame, manifest: Manifest, count: int = 5) -> list[str]:
    """Choose the clips to show by rule, one for each of the most frequent action units.

    Of the clips tested under every protocol: for each of the `count` action units that most of
    them have (the lower number first where equally many), the first clip by name that was
    answered right under all protocols and is not chosen yet; failing that, under fewer; failing
    that, under none.

    Parameters
    ----------
    table : DataFrame
        From `elrcn.experiments.attention.measure`.
    manifest : Manifest
        Whose action units count.
    count : int
        Most clips to choose.
    """
    right = table[table["maps"] == "trained"].pivot(
        index="clip_id", columns="protocol", values="right"
    )
    right = right.dropna().sum(axis=1).astype(int)
    units = {clip: set(units) for clip, units in units_of(manifest).items() if clip in right}
    clips_with = pd.Series([u for every in units.values() for u in every]).value_counts()
    order = sorted(clips_with.index, key=lambda u: (-clips_with[u], u))[:count]
    chosen: list[str] = []
    for unit in order:
        left = [clip for clip in sorted(units) if unit in units[clip] and clip not in chosen]
        chosen += sorted(left, key=lambda clip: -right[clip])[:1]
    return chosen


def overlays(session: Session, table: pd.DataFrame, clips: list[str]) -> list[Overlay]:
    """Read frames, masks and measured maps of `clips`, in their order.

    Raises
    ------
    ElrcnError
        If the maps were not measured, or a frame cannot be read.
    """
    manifest = plan(next(iter(PROTOCOLS.values())), session).manifest
    known = manifest.table["clip_id"].tolist()
    part = manifest.subset([known.index(clip) for clip in clips])
    crops, units = crops_of_all(part, session), units_of(part)
    maps = {protocol: stored_maps(session, protocol) for protocol in PROTOCOLS}
    rows = table[table["maps"] == "trained"].set_index(["protocol", "clip_id"])
    root = session.corpus_root
    found = []
    for i, clip in enumerate(clips):
        apex = apex_index(part.table.iloc[i])
        frame = read_grey(part.frame_paths(i)[apex]).astype(np.float32)
        crop = crops[i][apex if len(crops[i]) > 1 else 0] if crops[i] else None
        mask = None
        if root is not None:
            mask = _for_page(frame_mask(load_truth(root, clip), crops[i])) >= 0.5
        answers = {p: tuple(rows.loc[(p, clip), ["true", "predicted"]]) for p in maps}
        found.append(
            Overlay(
                clip,
                " + ".join(map(str, units[clip])),
                _for_page(crop.apply(frame) if crop else frame),
                mask,
                {p: maps[p][clip] for p in maps},
                answers,
            )
        )
    return found


def _for_page(image: np.ndarray) -> np.ndarray:
    """Reduce a picture to what a panel can show: fifteen whole frames make a page slow to load."""
    height, width = image.shape
    scale = _PANEL / width
    if scale >= 1:
        return image
    return cv2.resize(image, (_PANEL, round(height * scale)), interpolation=cv2.INTER_AREA)


def map_units(
    table: pd.DataFrame, manifest: Manifest, least: int = 5, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """`elrcn.experiments.attention.summarise` of the clips with each action unit.

    Returns
    -------
    DataFrame
        Columns ``unit`` and those of `summarise`; units of fewer than `least` clips under a
        protocol are left out there. A clip with two units counts for both.
    """
    units = units_of(manifest)
    parts = []
    for unit in sorted({u for every in units.values() for u in every}):
        having = table[table["clip_id"].map(lambda clip, unit=unit: unit in units[clip])]
        short = summarise(having, draws, seed)
        enough = short.loc[(short["maps"] == "trained") & (short["clips"] >= least), "protocol"]
        parts.append(short[short["protocol"].isin(enough)].assign(unit=unit))
    whole = pd.concat(parts, ignore_index=True)
    return whole[["unit", *(c for c in whole.columns if c != "unit")]]


def answer_table(table: pd.DataFrame, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """`summarise` of clips answered right and of clips answered wrong: column ``answer``."""
    parts = [
        summarise(table[table["right"] == right], draws, seed).assign(answer=word)
        for word, right in (("right", True), ("wrong", False))
    ]
    whole = pd.concat(parts, ignore_index=True)
    return whole[["answer", *(c for c in whole.columns if c != "answer")]]


def map_scores(short: pd.DataFrame) -> pd.DataFrame:
    """Rows of `summarise` as readers see them: intervals in one cell each."""
    shown = short.copy()
    for name in SCORE_NAMES:
        ends = zip(short[name], short[f"{name}_low"], short[f"{name}_high"], strict=True)
        shown[name] = [f"{v:.3f} ({interval_text(low, high, name='')})" for v, low, high in ends]
        shown = shown.drop(columns=[f"{name}_low", f"{name}_high"])
    words = [" − ".join(KINDS[k] for k in kinds.split(" - ")) for kinds in short["maps"]]
    return shown.assign(maps=words).rename(columns=SCORE_NAMES | {"mask_share": "mask share"})
