"""Write the embedded corpus to disk: resumable, reproducible, whole clips only."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import cv2
import joblib
import numpy as np
from tqdm import tqdm

from elrcn.config import CorpusConfig
from elrcn.databases.corpus.film import Sitter
from elrcn.databases.corpus.plan import ClipPlan, plan_corpus
from elrcn.databases.corpus.sheets import write_bytes, write_sheets
from elrcn.databases.corpus.truth import save_truth, truth_path
from elrcn.errors import ElrcnError

#: Raise when the same configuration would give other bytes.
VERSION = 3
RECEIPT = "corpus.json"
FRAME_ROOTS = {"CASME2": "CASME2/Cropped", "SAMM": "SAMM"}


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
    """Write the embedded corpus, or finish an interrupted one.

    The bytes depend on `config` alone, not on the number of workers or on interruptions.

    Parameters
    ----------
    root : path
        Folder to write; made if missing. A finished corpus of the same configuration is left alone.
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
        receipt = _open_receipt(root, config)
        if not receipt["done"]:
            times = _film_all(root, config, plans, progress, workers)
            write_sheets(root, plans, times)
            shutil.rmtree(root / ".partial", ignore_errors=True)
            _write_receipt(root, config, done=True)
    except OSError as error:
        raise ElrcnError(
            f"The corpus could not be written: {error.strerror or error}",
            where=error.filename or root,
            fix="free some disk space or choose a folder you may write to, then run this again: "
            "finished clips are kept",
        ) from error
    return CorpusPaths(root)


def _open_receipt(root: Path, config: CorpusConfig) -> dict:
    path = root / RECEIPT
    wanted = asdict(config)
    if path.is_file():
        try:
            receipt = json.loads(path.read_text())
            found, version, done = receipt["config"], receipt["version"], bool(receipt["done"])
        except (ValueError, KeyError, TypeError):
            raise ElrcnError(
                "This corpus' receipt cannot be read.",
                where=path,
                fix="delete the folder and make the corpus again",
            ) from None
        changed = [f"{k}={found.get(k)!r}" for k in wanted if found.get(k) != wanted[k]]
        if changed or version != VERSION:
            other = ", ".join(changed) or f"version {version} of the generator"
            raise ElrcnError(
                f"This folder holds another corpus ({other}).",
                where=root,
                fix="choose another folder, delete this one, or ask for the same settings",
            )
        return {"done": done}
    if root.is_dir() and any(p.name != ".partial" for p in root.iterdir()):
        raise ElrcnError(
            "This folder is not empty and holds no corpus.",
            where=root,
            fix="choose an empty or a new folder",
        )
    _write_receipt(root, config, done=False)
    return {"done": False}


def _write_receipt(root: Path, config: CorpusConfig, done: bool) -> None:
    value = {
        "what": "Synthetic corpus written by elrcn; no person is shown",
        "version": VERSION,
        "config": asdict(config),
        "done": done,
    }
    write_bytes(root / RECEIPT, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def _film_all(root, config, plans, progress, workers) -> dict[str, tuple[int, int, int]]:
    """Film what is missing, subject by subject; return onset, apex and offset of every clip."""
    jobs = []
    for _, group in groupby(plans, key=lambda p: (p.database, p.subject)):
        missing = [p for p in group if not _is_done(root, p)]
        if missing:
            jobs.append(missing)
    jobs.sort(key=lambda job: -sum(p.length for p in job))
    total = len(plans)
    bar = tqdm(
        total=total,
        initial=total - sum(map(len, jobs)),
        desc="Corpus",
        unit="clip",
        disable=not progress,
    )
    workers = workers or os.cpu_count() or 1
    with bar:
        parallel = joblib.Parallel(
            n_jobs=min(workers, max(len(jobs), 1)),
            return_as="generator_unordered",
            pre_dispatch="all",
        )
        for count in parallel(
            joblib.delayed(_film_subject)(root, config.seed, job) for job in jobs
        ):
            bar.update(count)
    return {p.clip_id: _read_times(root, p) for p in plans}


def _is_done(root: Path, plan: ClipPlan) -> bool:
    return (root / FRAME_ROOTS[plan.database] / plan.folder).is_dir()


def _read_times(root: Path, plan: ClipPlan) -> tuple[int, int, int]:
    with np.load(truth_path(root, plan.clip_id), allow_pickle=False) as data:
        onset, apex, offset = (int(v) for v in data["shape_and_times"][2:])
    return onset, apex, offset


def _film_subject(root: Path, seed: int, plans: list[ClipPlan]) -> int:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        sitter = Sitter(seed, plans[0].database, plans[0].subject)
        for plan in plans:
            _film_clip(root, sitter, plan)
    finally:
        cv2.setNumThreads(threads)
    return len(plans)


def _film_clip(root: Path, sitter: Sitter, plan: ClipPlan) -> None:
    """Write one clip into a side folder and move it into place when it is whole."""
    part = root / ".partial" / plan.database / plan.folder
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    motion, basis, frames = sitter.film(plan)
    for number, data in zip(motion.numbers, frames, strict=True):
        (part / plan.frame_name(int(number))).write_bytes(data)
    canvas = sitter.canvas
    numbers, sides = zip(*plan.units, strict=True)
    side_file = part.with_name(part.name + ".npz")
    save_truth(side_file, canvas.width, canvas.height, motion, numbers, sides, basis)
    target = truth_path(root, plan.clip_id)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(side_file, target)
    folder = root / FRAME_ROOTS[plan.database] / plan.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, folder)
