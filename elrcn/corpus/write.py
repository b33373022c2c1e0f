"""Write the synthetic databases in the layouts of CASME II and SAMM, and check them."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import os
import re
import warnings
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

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

CASME2_HEADER = (
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
)
SAMM_HEADER = (
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
    "Micro",
    "Action Units",
    "Estimated Emotion",
    "Objective Classes",
    "Notes",
)
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


def _cell(text: str):
    """Write an action-unit cell as the sheets do: a lone number is a number."""
    return int(text) if text.isdecimal() else text


def casme2_rows(plans: list[ClipPlan], times: dict[str, tuple[int, int, int]]):
    """Rows of the CASME II label sheet, header first; `times` maps clip ids to true times."""
    yield CASME2_HEADER
    for p in plans:
        onset, apex, offset = times[p.clip_id]
        shown = apex if p.apex_known else "/"
        yield (p.subject, p.name, None, onset, shown, offset, None, _cell(p.unit_text), p.emotion)


def objective_rows(plans: list[ClipPlan]):
    """Rows of the sheet of objective classes, header first."""
    yield ("Subject", "Filename", "Objective Class")
    for p in plans:
        yield (p.subject, p.name, p.objective_class)


def samm_rows(plans: list[ClipPlan], times: dict[str, tuple[int, int, int]]):
    """Rows of the SAMM label sheet: 13 rows of notes, the header in row 14, the clips."""
    for note in SAMM_NOTES:
        yield (note,)
    yield SAMM_HEADER
    for p in plans:
        onset, apex, offset = times[p.clip_id]
        yield (
            p.subject,
            p.name,
            int(p.name.split("_")[1]),
            onset,
            apex if p.apex_known else -1,
            offset,
            offset - onset + 1,
            "Micro - 1/2",
            _cell(p.unit_text),
            p.emotion,
            p.objective_class,
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
    stamp = datetime.datetime(2018, 5, 15).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(fixed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp, data)
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


def write_sheets(root: Path, plans: list[ClipPlan], times: dict[str, tuple[int, int, int]]) -> None:
    """Write the three label sheets, `SHEETS`, under `root`."""
    casme2 = [p for p in plans if p.database == "CASME2"]
    samm = [p for p in plans if p.database == "SAMM"]
    labels, classes, codes = (root / name for name in SHEETS)
    write(
        labels,
        workbook_bytes({"Sheet1": list(casme2_rows(casme2, times)), "Sheet2": [], "Sheet3": []}),
    )
    write(classes, workbook_bytes({"Sheet1": list(objective_rows(casme2))}))
    write(codes, workbook_bytes({"MICRO_ONLY": list(samm_rows(samm, times))}))


#: Raise when the same configuration would give other bytes.
VERSION = 4
RECEIPT = "corpus.json"
FRAME_ROOTS = {"CASME2": "CASME2/Cropped", "SAMM": "SAMM"}


@dataclass(frozen=True)
class Damage:
    """A clip's folder, its truth or a sheet that is not as it was made.

    Attributes
    ----------
    path : Path
    what : str
        What is wrong with it, "it ...".
    clip : str
        Clip id; "" for a sheet.
    """

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
    """Files of a clip's folder by frame number, without what systems leave there.

    Raises
    ------
    OSError
        If there is no such folder.
    """
    return sorted(
        (n for n in os.listdir(folder) if not is_litter(n)), key=lambda n: (number_of(n), n)
    )


def names_digest(names: Iterable[str]) -> str:
    """SHA-256 of a clip's frame names, sorted: digests of frames know numbers, not names."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def read_corpus_receipt(root: Path) -> dict[str, Any] | None:
    """Receipt of the corpus at `root`, done or not; None if it is missing or damaged.

    One of an older generator has ``version`` and ``config``, but nothing to check files against.
    """
    receipt = read_json(root / RECEIPT)
    if receipt is None:
        try:
            old = json.loads((root / RECEIPT).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        known = isinstance(old, dict) and isinstance(old.get("config"), dict)
        return old if known and old.get("version", VERSION) != VERSION else None
    return receipt


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
    """Frames of a clip, digests of their names and bytes and of its truth, as the truth says.

    Raises
    ------
    ElrcnError
        If there is no truth, or it is damaged.
    """
    truth = load_truth(root, plan.clip_id)
    return {
        "frames": len(truth.numbers),
        "names": names_digest(plan.frame_name(int(number)) for number in truth.numbers),
        "sha256": truth.frames_sha256,
        "truth": file_digest(truth_path(root, plan.clip_id)),
    }


def find_damage(
    root: Path,
    clips: dict[str, dict[str, Any]],
    sheets: dict[str, str],
    truth: bool = True,
) -> list[Damage]:
    """Compare a corpus with its receipt: every frame, every sheet and, if asked for, the truth.

    Parameters
    ----------
    clips, sheets : dict
        As the receipt holds them; those of a database, if only that is used.
    """
    jobs = [(_clip_damage, root, clip, record, truth) for clip, record in clips.items()]
    found = [d for one in side_by_side(jobs, len(jobs), threads=True, progress=False) for d in one]
    for name, digest in sheets.items():
        if what := _differs(root / name, digest):
            found.append(Damage(root / name, what))
    return sorted(found, key=lambda one: str(one.path))


def _clip_damage(root: Path, clip: str, record: dict[str, Any], truth: bool) -> list[Damage]:
    folder, found = clip_folder(root, clip), []
    if what := clip_differs(folder, record["frames"], record["names"], record["sha256"]):
        found.append(Damage(folder, what, clip))
    if truth and (what := _differs(truth_path(root, clip), record["truth"])):
        found.append(Damage(truth_path(root, clip), what, clip))
    return found


def clip_differs(folder: Path, count: int, names: str, digest: str) -> str:
    """Say what is wrong with a clip that should have `count` frames; "" if nothing.

    `names` and `digest` are what `names_digest` and `clip_digest` should give.
    """
    try:
        held = frame_names(folder)
        if len(held) != count:
            return f"it holds {len(held)} files, not {count} frames"
        if names_digest(held) != names:
            return "its frames do not have the names they were made with"
        if clip_digest(folder, held) == digest:
            return ""
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    problems = scan_clip(folder, held).problems
    return ": ".join(problems[0]) if problems else "its frames are not those that were made"


def _differs(path: Path, digest: str) -> str:
    try:
        return "" if file_digest(path) == digest else "it is not the file that was made"
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


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
        if held and not _has_clips_of(root, config):
            lost = path.name in held
            raise ElrcnError(
                "This corpus' receipt cannot be read."
                if lost
                else "This folder is not empty and holds no corpus.",
                where=path if lost else root,
                fix="delete the folder and make the corpus again"
                if lost
                else "choose an empty or a new folder",
            )
        set_aside(path, "the corpus' receipt cannot be read")
        write_corpus_receipt(root, config)
        return read_corpus_receipt(root) or {"done": False}
    wanted, found = asdict(config), receipt["config"]
    changed = [f"{k}={found.get(k)!r}" for k in wanted if found.get(k) != wanted[k]]
    if receipt["version"] != VERSION:
        changed = changed or [f"version {receipt['version']} of the generator"]
    elif receipt["key"] != corpus_key(config):
        changed = changed or ["made by other code of the generator"]
    if changed:
        raise ElrcnError(
            f"This folder holds another corpus ({', '.join(changed)}).",
            where=root,
            fix="choose another folder, delete this one, or ask for the same settings",
        )
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


def _has_clips_of(root: Path, config: CorpusConfig) -> bool:
    return any(recorded_clips(root, config, [plan]) for plan in plan_corpus(config))


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
        """Folder read by `elrcn.corpus.truth` alone."""
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
        if not is_intact(root, config):
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
    write_corpus_receipt(root, config, plans)


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
