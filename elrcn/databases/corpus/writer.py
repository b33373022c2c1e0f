"""Write the embedded corpus to disk: resumable, reproducible, whole clips only."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2

from elrcn.config import CorpusConfig
from elrcn.databases.corpus.film import Sitter
from elrcn.databases.corpus.plan import ClipPlan, plan_corpus
from elrcn.databases.corpus.receipt import (
    FRAME_ROOTS,
    clip_differs,
    clip_folder,
    corpus_key,
    find_damage,
    find_strangers,
    is_whole,
    names_digest,
    open_receipt,
    recorded_clips,
    write_receipt,
)
from elrcn.databases.corpus.sheets import write_sheets
from elrcn.databases.corpus.truth import load_truth, save_truth, truth_path
from elrcn.databases.frames import clip_digest
from elrcn.errors import ElrcnError
from elrcn.files import computed_once, replacing, set_aside, side_by_side, sweep


@dataclass(frozen=True)
class CorpusPaths:
    """Where a corpus lies.

    Attributes
    ----------
    root, casme2, samm, truth : Path
        The corpus, the two databases (as a licence holder has them) and the true motion.
    """

    root: Path

    @property
    def casme2(self) -> Path:
        """Folder in the layout of CASME II."""
        return self.root / "CASME2"

    @property
    def samm(self) -> Path:
        """Folder in the layout of SAMM."""
        return self.root / "SAMM"

    @property
    def truth(self) -> Path:
        """Folder read by `elrcn.databases.corpus.truth` alone."""
        return self.root / "truth"


def make_corpus(
    root: str | Path,
    config: CorpusConfig,
    progress: bool = True,
    workers: int | None = None,
) -> CorpusPaths:
    """Write the embedded corpus, finish an interrupted one, or mend a damaged one.

    The bytes depend on `config` alone, not on the number of workers, on interruptions or on other
    processes that make the same corpus. Every file of a finished corpus is compared with the
    receipt; a clip, a truth file or a sheet that differs is set aside, named in a warning and made
    again.

    Parameters
    ----------
    root : path
        Folder to write; made if missing. A whole corpus of the same configuration is left alone.
    config : CorpusConfig
    progress : bool
        Show a progress bar.
    workers : int, optional
        Processes; default: all cores.

    Returns
    -------
    CorpusPaths

    Raises
    ------
    ElrcnError
        If the folder holds another corpus or foreign files, or cannot be written (full disk,
        missing permission).
    """
    root = Path(root)
    plans = plan_corpus(config)
    try:
        if not is_whole(root, config):
            with computed_once(root):
                _make(root, config, plans, progress, workers)
        for folder in {p for clip in plans for p in _folders(root, clip.clip_id)}:
            sweep(folder)
    except OSError as error:
        raise ElrcnError(
            f"The corpus cannot be written: {error.strerror or error}.",
            where=error.filename or root,
            fix="free some disk space or choose a folder you may write to, then run this again: "
            "finished clips are kept",
        ) from error
    return CorpusPaths(root)


def _make(root, config, plans, progress, workers) -> None:
    """Film what is missing or damaged, and write sheets and receipt; the lock is held."""
    clips = [p.clip_id for p in plans]
    receipt = open_receipt(root, config)
    strange = find_strangers(root, clips, FRAME_ROOTS)
    if strange:
        raise ElrcnError(
            f"{len(strange)} things in this corpus do not belong to it, first {strange[0].name}.",
            where=strange[0],
            fix="move them out of the corpus' folder",
        )
    known = receipt["clips"] if receipt["done"] else recorded_clips(root, config, plans)
    damage = find_damage(root, known, receipt.get("sheets", {}))
    if receipt["done"] and not damage:
        return  # another process was first
    for one in damage:
        if set_aside(one.path, one.what) is None:
            warnings.warn(f"{one.path}: {one.what}; made again", RuntimeWarning, stacklevel=3)
    whole = known.keys() - {one.clip for one in damage}
    _film_all(root, config, [p for p in plans if p.clip_id not in whole], plans, progress, workers)
    truths = {clip: load_truth(root, clip) for clip in clips}
    write_sheets(root, plans, {c: (t.onset, t.apex, t.offset) for c, t in truths.items()})
    write_receipt(root, config, plans)


def _folders(root: Path, clip: str) -> tuple[Path, Path]:
    return clip_folder(root, clip).parent, truth_path(root, clip).parent


def _film_all(root, config, missing, plans, progress, workers) -> None:
    """Film the clips that are missing, subject by subject, the longest first."""
    groups = groupby(missing, key=lambda p: (p.database, p.subject))
    key = corpus_key(config)
    jobs = [(_film_subject, root, config.seed, key, list(group)) for _, group in groups]
    jobs.sort(key=lambda job: -sum(p.length for p in job[-1]))
    for _ in side_by_side(
        jobs,
        len(missing),
        title="Corpus",
        total=len(plans),
        workers=workers,
        progress=progress,
        weigh=lambda count: count,
    ):
        pass


def _film_subject(root: Path, seed: int, key: str, plans: list[ClipPlan]) -> int:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        sitter = Sitter(seed, plans[0].database, plans[0].subject)
        for plan in plans:
            _film_clip(root, key, sitter, plan)
    finally:
        cv2.setNumThreads(threads)
    return len(plans)


def _film_clip(root: Path, key: str, sitter: Sitter, plan: ClipPlan) -> None:
    """Put one clip into place when it is whole, its truth last: a clip with truth is finished."""
    motion, basis, frames = sitter.film(plan)
    names = [plan.frame_name(int(number)) for number in motion.numbers]
    digest = _place(clip_folder(root, plan.clip_id), dict(zip(names, frames, strict=True)))
    numbers, sides = zip(*plan.units, strict=True)
    canvas = sitter.canvas
    save_truth(
        truth_path(root, plan.clip_id),
        canvas.width,
        canvas.height,
        motion,
        numbers,
        sides,
        basis,
        frames_sha256=digest,
        corpus_key=key,
    )


def _place(folder: Path, frames: dict[str, bytes]) -> str:
    """Write frames to `folder` and return their digest; what is there stays if it is the same."""
    for _ in range(2):
        with replacing(folder) as part:
            part.mkdir()
            for name, data in frames.items():
                (part / name).write_bytes(data)
            digest = clip_digest(part, list(frames))
        what = clip_differs(folder, len(frames), names_digest(frames), digest)
        if not what:
            break
        set_aside(folder, what)
    return digest
