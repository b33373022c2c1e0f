"""What a finished corpus holds, clip by clip and sheet by sheet, and whether it still does."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elrcn.config import CorpusConfig, config_hash
from elrcn.databases.corpus.plan import ClipPlan, plan_corpus
from elrcn.databases.corpus.sheets import SHEETS
from elrcn.databases.corpus.truth import load_truth, truth_path
from elrcn.databases.frames import clip_digest, number_of, scan_clip
from elrcn.databases.trees import is_litter
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, file_digest, read_json, set_aside, side_by_side, write_json

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
    return config_hash(config, VERSION, code_hash("databases/corpus/writer.py"))


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


def read_receipt(root: Path) -> dict[str, Any] | None:
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
    return bool((read_receipt(root) or {}).get("done"))


def write_receipt(
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


def is_whole(root: Path, config: CorpusConfig) -> bool:
    """Tell whether a finished corpus of `config` lies at `root`, nothing missing or changed."""
    receipt = read_receipt(root)
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
    receipt = read_receipt(root)
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
        write_receipt(root, config)
        return read_receipt(root) or {"done": False}
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
