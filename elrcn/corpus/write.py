"""Write the synthetic databases in the layouts of CASME II and SAMM, and check them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import cv2
from openpyxl import Workbook

from elrcn.config import CorpusConfig, config_hash
from elrcn.corpus.film import MARK, Sitter
from elrcn.corpus.plan import ClipPlan, plan_corpus
from elrcn.corpus.truth import Truth, load_truth, save_truth, truth_path
from elrcn.databases.folders import clip_digest, is_litter, number_of, scan_clip
from elrcn.errors import ElrcnError
from elrcn.files import (
    code_hash,
    computed_once,
    file_digest,
    read_json,
    replacing,
    set_aside,
    side_by_side,
    sweep,
    write,
    write_json,
)

# fmt: off
CASME2_HEADER = (
    "Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None,
    "Action Units", "Estimated Emotion",
)
SAMM_HEADER = (
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame",
    "Duration", "Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
)
# fmt: on
SAMM_NOTES = (
    "Synthetic corpus in the layout of a database of spontaneous micro-movements",
    "No person is shown: every face is rendered from parameters",
    None,
    "Frames per second: 200",
    "Onset, apex and offset are frame numbers in the clip's folder",
    "Duration counts the frames from onset to offset, both included",
    "Apex -1: not coded",
    None,
    "Action units: number, then intensity A (trace) to E (maximum) where coded",
    "L left, R right, A asymmetric",
    "Objective classes follow from the action units alone",
    "Estimated emotion follows from the action units and the stimulus",
    None,
)


def workbook_bytes(sheets: dict[str, list[tuple]]) -> bytes:
    """Return an .xlsx file with these sheets; the same rows give the same bytes on any day.

    `MARK` stands in the workbook's properties and on a last sheet of its own, where people see it
    and readers, who look for a header, do not.
    """
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.create_sheet("Synthetic")["B1"] = MARK
    book.properties.creator = "elrcn"
    book.properties.title = book.properties.description = MARK
    raw = io.BytesIO()
    book.save(raw)
    # openpyxl stamps the hour into docProps and into the archive: give both a fixed date.
    fixed = io.BytesIO()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(fixed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2018-05-15T00:00:00Z", data)
            entry = zipfile.ZipInfo(name, (2018, 5, 15, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, data)
    return fixed.getvalue()


#: Workbooks of a corpus, below its root.
SHEETS = (
    "CASME2/CASME2-coding-20140508.xlsx",
    "CASME2/CASME2-ObjectiveClasses.xlsx",
    "SAMM/SAMM_Micro_FACS_Codes_v2.xlsx",
)


def write_sheets(root: Path, plans: list[ClipPlan]) -> None:
    """Write the three label sheets, `SHEETS`, under `root`; times are those of the clips' truth."""
    labels, classes = [CASME2_HEADER], [("Subject", "Filename", "Objective Class")]
    codes = [*((note,) for note in SAMM_NOTES), SAMM_HEADER]  # the header in row 14
    for p in plans:
        truth = load_truth(root, p.clip_id)
        onset, apex, offset = truth.onset, truth.apex, truth.offset
        units = int(p.unit_text) if p.unit_text.isdecimal() else p.unit_text
        clip = (p.subject, p.name)
        if p.database == "CASME2":
            apex = apex if p.apex_known else "/"
            labels.append((*clip, None, onset, apex, offset, None, units, p.emotion))
            classes.append((*clip, p.objective_class))
        else:
            apex, video = apex if p.apex_known else -1, int(p.name.split("_")[1])
            times = (onset, apex, offset, offset - onset + 1)
            codes.append(
                (*clip, video, *times, "Micro - 1/2", units, p.emotion, p.objective_class, None)
            )
    sheets = (
        {"Sheet1": labels, "Sheet2": [], "Sheet3": []},
        {"Sheet1": classes},
        {"MICRO_ONLY": codes},
    )
    for name, rows in zip(SHEETS, sheets, strict=True):
        write(root / name, workbook_bytes(rows))


#: Raise when the same configuration would give other bytes.
VERSION = 4
RECEIPT = "corpus.json"
FRAME_ROOTS = {"CASME2": "CASME2/Cropped", "SAMM": "SAMM"}


class Damage(NamedTuple):
    """A clip's folder, its truth or a sheet (`clip` "") that is not as made; what: "it ..."."""

    path: Path
    what: str
    clip: str = ""


def corpus_key(config: CorpusConfig) -> str:
    """Name what a corpus is made of: its configuration, the generator's version and its code."""
    return config_hash(config, VERSION, code_hash("corpus/write.py"))


def clip_folder(root: Path, clip_id: str) -> Path:
    """Folder of a clip's frames in the corpus at `root`."""
    database, rest = clip_id.split("/", 1)
    return root / FRAME_ROOTS[database] / rest


def frame_names(folder: Path) -> list[str]:
    """Files of a clip's folder by frame number, without what systems leave there."""
    names = [name for name in os.listdir(folder) if not is_litter(name)]
    return sorted(names, key=lambda name: (number_of(name), name))


def names_digest(names: Iterable[str]) -> str:
    """SHA-256 of a clip's frame names, sorted: digests of frames know numbers, not names."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def read_corpus_receipt(root: Path) -> dict[str, Any] | None:
    """Receipt of the corpus at `root`, done or not; None if it is missing or damaged.

    One of an older generator has ``version`` and ``config``, but nothing to check files against.
    """
    receipt = read_json(root / RECEIPT)
    if receipt is not None:
        return receipt
    try:
        old = json.loads((root / RECEIPT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    known = isinstance(old, dict) and isinstance(old.get("config"), dict)
    return old if known and old.get("version", VERSION) != VERSION else None


def is_finished(root: Path) -> bool:
    """Tell whether a corpus was finished at `root`; its files are not looked at."""
    return bool((read_corpus_receipt(root) or {}).get("done"))


def write_corpus_receipt(
    root: Path, config: CorpusConfig, plans: Iterable[ClipPlan] | None = None
) -> None:
    """Write the receipt: of a corpus that is being made, or, given its clips, of a finished one."""
    value = {
        "what": "Synthetic corpus written by elrcn; no person is shown",
        "version": VERSION,
        "key": corpus_key(config),
        "config": asdict(config),
        "done": plans is not None,
    }
    if plans is not None:
        value["clips"] = {plan.clip_id: clip_record(root, plan) for plan in plans}
        value["sheets"] = {name: file_digest(root / name) for name in SHEETS}
    write_json(root / RECEIPT, value)


def clip_record(root: Path, plan: ClipPlan) -> dict[str, Any]:
    """Frames of a clip and digests of their names, their bytes and its truth, as the truth says."""
    truth = load_truth(root, plan.clip_id)
    return {
        "frames": len(truth.numbers),
        "names": names_digest(plan.frame_name(int(number)) for number in truth.numbers),
        "sha256": truth.frames_sha256,
        "truth": file_digest(truth_path(root, plan.clip_id)),
    }


def find_damage(
    root: Path, clips: dict[str, dict], sheets: dict[str, str], truth: bool = True
) -> list[Damage]:
    """Compare a corpus with its receipt: every frame, every sheet and, if asked for, the truth.

    Parameters
    ----------
    clips, sheets : dict
        As the receipt holds them; those of a database, if only that is used.
    """
    jobs = [(_clip_damage, root, clip, record, truth) for clip, record in clips.items()]
    found = [d for one in side_by_side(jobs, len(jobs), threads=True, progress=False) for d in one]
    found += [Damage(root / n, differs(_file_problem, root / n, sheets[n])) for n in sheets]
    return sorted((one for one in found if one.what), key=lambda one: str(one.path))


def _clip_damage(root: Path, clip: str, record: dict[str, Any], truth: bool) -> list[Damage]:
    folder, path = clip_folder(root, clip), truth_path(root, clip)
    about = record["frames"], record["names"], record["sha256"]
    found = [Damage(folder, differs(_clip_problem, folder, *about), clip)]
    if truth:
        found.append(Damage(path, differs(_file_problem, path, record["truth"]), clip))
    return found


def differs(problem: Callable[..., str], path: Path, *made: Any) -> str:
    """Say what is wrong with a file or folder that should be as `made`; "" if nothing."""
    try:
        return problem(path, *made)
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def _clip_problem(folder: Path, count: int, names: str, digest: str) -> str:
    """Compare a clip with its number of frames and what `names_digest` and `clip_digest` gave."""
    held = frame_names(folder)
    if len(held) != count:
        return f"it holds {len(held)} files, not {count} frames"
    if names_digest(held) != names:
        return "its frames do not have the names they were made with"
    if clip_digest(folder, held) == digest:
        return ""
    problems = scan_clip(folder, held).problems
    return ": ".join(problems[0]) if problems else "its frames are not those that were made"


def _file_problem(path: Path, digest: str) -> str:
    return "" if file_digest(path) == digest else "it is not the file that was made"


def find_strangers(root: Path, clips: Collection[str], databases: Iterable[str]) -> list[Path]:
    """Return what lies among the sheets and clips of a corpus and is none of them."""
    clips = [clip for clip in clips if clip.split("/")[0] in databases]
    known = {clip_folder(root, clip) for clip in clips}
    known |= {root / name for name in SHEETS if name.split("/")[0] in databases}
    folders = {p for path in known for p in path.parents if p != root and p.is_relative_to(root)}
    return sorted(
        folder / name
        for folder in folders
        if folder.is_dir()
        for name in os.listdir(folder)
        if not is_litter(name) and folder / name not in known | folders
    )


def is_intact(root: Path, config: CorpusConfig) -> bool:
    """Tell whether a finished corpus of `config` lies at `root`, nothing missing or changed."""
    receipt = read_corpus_receipt(root)
    if receipt is None or not receipt.get("done") or receipt.get("key") != corpus_key(config):
        return False
    strange = find_strangers(root, receipt["clips"], FRAME_ROOTS)
    return not strange and not find_damage(root, receipt["clips"], receipt["sheets"])


def open_receipt(root: Path, config: CorpusConfig) -> dict[str, Any]:
    """Return the receipt of the corpus of `config` at `root`, and begin one in an empty folder.

    A receipt that is lost or damaged is begun anew where the clips' truth names this corpus.

    Raises
    ------
    ElrcnError
        If the folder holds another corpus or foreign files.
    """
    path = root / RECEIPT
    # Listed before the receipt is read: where nothing locks, another process may begin meanwhile.
    held = [n for n in os.listdir(root) if not is_litter(n)] if root.is_dir() else []
    receipt = read_corpus_receipt(root)
    if receipt is None:
        if held and not any(recorded_clips(root, config, [plan]) for plan in plan_corpus(config)):
            if path.name not in held:
                what = "This folder is not empty and holds no corpus."
                raise ElrcnError(what, where=root, fix="choose an empty or a new folder")
            what = "This corpus' receipt cannot be read."
            raise ElrcnError(what, where=path, fix="delete the folder and make the corpus again")
        set_aside(path, "the corpus' receipt cannot be read")
        write_corpus_receipt(root, config)
        return {"done": False}
    wanted, found = asdict(config), receipt["config"]
    changed = [f"{k}={found.get(k)!r}" for k in wanted if found.get(k) != wanted[k]]
    if receipt["version"] != VERSION:
        changed = changed or [f"version {receipt['version']} of the generator"]
    elif receipt["key"] != corpus_key(config):
        changed = changed or ["made by other code of the generator"]
    if changed:
        what = f"This folder holds another corpus ({', '.join(changed)})."
        fix = "choose another folder, delete this one, or ask for the same settings"
        raise ElrcnError(what, where=root, fix=fix)
    return receipt


def recorded_clips(root: Path, config: CorpusConfig, plans: Iterable[ClipPlan]) -> dict[str, dict]:
    """Return records of the clips of an unfinished corpus whose truth is whole and its own."""
    key, found = corpus_key(config), {}
    for plan in plans:
        try:
            if load_truth(root, plan.clip_id).corpus_key == key:
                found[plan.clip_id] = clip_record(root, plan)
        except (ElrcnError, OSError):
            continue  # not there, or damaged: the clip is filmed again
    return found


class CorpusPaths(NamedTuple):
    """Where a corpus lies: its folder, those in the two databases' layouts, and the true motion."""

    root: Path
    casme2: Path
    samm: Path
    truth: Path


def make_corpus(
    root: str | Path, config: CorpusConfig, progress: bool = True, workers: int | None = None
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
        if not is_intact(root, config):
            with computed_once(root):
                _make(root, config, plans, progress, workers)
        clips = [plan.clip_id for plan in plans]
        paths = [f(root, clip) for clip in clips for f in (clip_folder, truth_path)]
        for folder in {path.parent for path in paths}:
            sweep(folder)
    except OSError as error:
        raise ElrcnError(
            f"The corpus cannot be written: {error.strerror or error}.",
            where=error.filename or root,
            fix="free some disk space or choose a folder you may write to, then run this again: "
            "finished clips are kept",
        ) from error
    return CorpusPaths(root, root / "CASME2", root / "SAMM", root / "truth")


def _make(root, config, plans, progress, workers) -> None:
    """Film what is missing or damaged, and write sheets and receipt; the lock is held."""
    clips = [p.clip_id for p in plans]
    receipt = open_receipt(root, config)
    strange = find_strangers(root, clips, FRAME_ROOTS)
    if strange:
        what = f"{len(strange)} things in this corpus do not belong to it, first {strange[0].name}."
        raise ElrcnError(what, where=strange[0], fix="move them out of the corpus' folder")
    known = receipt["clips"] if receipt["done"] else recorded_clips(root, config, plans)
    damage = find_damage(root, known, receipt.get("sheets", {}))
    if receipt["done"] and not damage:
        return  # another process was first
    for one in damage:
        if set_aside(one.path, one.what) is None:
            warnings.warn(f"{one.path}: {one.what}; made again", RuntimeWarning, stacklevel=3)
    whole = known.keys() - {one.clip for one in damage}
    # The clips that are missing, subject by subject, the longest first.
    missing = [p for p in plans if p.clip_id not in whole]
    groups = groupby(missing, key=lambda p: (p.database, p.subject))
    key = corpus_key(config)
    jobs = [(_film_subject, root, config.seed, key, list(group)) for _, group in groups]
    jobs.sort(key=lambda job: -sum(p.length for p in job[-1]))
    filmed = side_by_side(
        jobs, len(missing), title="Corpus", total=len(plans), workers=workers, progress=progress,
        weigh=lambda count: count,
    )  # fmt: skip
    for _ in filmed:
        pass
    write_sheets(root, plans)
    write_corpus_receipt(root, config, plans)


def _film_subject(root: Path, seed: int, key: str, plans: list[ClipPlan]) -> int:
    """Put clips into place one by one, their truth last: a clip with truth is finished."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        sitter = Sitter(seed, plans[0].database, plans[0].subject)
        for plan in plans:
            motion, basis, frames = sitter.film(plan)
            names = [plan.frame_name(int(number)) for number in motion.numbers]
            digest = _place(clip_folder(root, plan.clip_id), dict(zip(names, frames, strict=True)))
            units, sides = zip(*plan.units, strict=True)
            truth = Truth(
                **vars(motion),
                clip_id=plan.clip_id,
                width=sitter.canvas.width,
                height=sitter.canvas.height,
                units=units,
                sides=sides,
                basis=basis,
                frames_sha256=digest,
                corpus_key=key,
            )
            save_truth(root, truth)
    finally:
        cv2.setNumThreads(threads)
    return len(plans)


def _place(folder: Path, frames: dict[str, bytes]) -> str:
    """Write frames to `folder` and return their digest; what is there stays if it is the same."""
    for _ in range(2):
        with replacing(folder) as part:
            part.mkdir()
            for name, data in frames.items():
                (part / name).write_bytes(data)
            digest = clip_digest(part, list(frames))
        what = differs(_clip_problem, folder, len(frames), names_digest(frames), digest)
        if not what:
            break
        set_aside(folder, what)
    return digest
