"""Frame folders: where the tree begins, which clips it holds, which files are frames.

Nothing outside the root is ever opened: a link that leads out is listed, not followed.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from elrcn.errors import ElrcnError

FRAME_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp"))
SHEET_SUFFIXES = (".xlsx", ".xls")
_LITTER = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r"))
_DEEPEST = 3


@dataclass(frozen=True)
class ClipFolder:
    """One clip's folder: subject number, folder name, path relative to the root (POSIX)."""

    subject: int
    name: str
    path: str


@dataclass
class FrameListing:
    """What a clip's folder holds.

    Attributes
    ----------
    numbers : dict of int to str
        File name of each frame number.
    duplicates : dict of int to list of str
        Numbers that several files claim ("img046.jpg", "img46.jpg"); not in `numbers`.
    strange : list of str
        Files that are neither frames nor litter.
    outside : list of str
        Links that lead out of the root or nowhere.
    """

    numbers: dict[int, str] = field(default_factory=dict)
    duplicates: dict[int, list[str]] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


def is_litter(name: str) -> bool:
    """Tell whether a name is left behind by macOS, Windows or a file server."""
    return name.startswith(".") or name.casefold() in _LITTER or name.startswith("~$")


def suffix_of(name: str) -> str:
    """Suffix of a file name in small letters, such as ".jpg"."""
    return os.path.splitext(name)[1].casefold()


def walk(root: str | Path) -> Iterator[tuple[str, list[str]]]:
    """Yield every folder below `root` and its files, sorted, without litter.

    Links to folders are not followed; a folder that cannot be read is passed over.
    """
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not is_litter(name))
        yield folder, sorted(name for name in files if not is_litter(name))


def check_root(root: str | Path, database: str) -> Path:
    """Return `root`, resolved, if it is a folder; otherwise raise an `ElrcnError`."""
    path = Path(root).expanduser()
    try:
        if not path.is_dir():
            raise ElrcnError(
                f"The folder of {database} does not exist.",
                where=path,
                fix="give the folder the archives were unpacked into",
            )
        os.listdir(path)
    except OSError as error:
        raise ElrcnError(
            f"The folder of {database} cannot be read: {error.strerror}.", where=path
        ) from None
    return path.resolve()


def is_within(path: Path, root: Path) -> bool:
    """Tell whether `path`, links followed, lies in `root` (already resolved) and exists."""
    try:
        return Path(path).resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError, ValueError):
        return False


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not is_litter(e.name)), key=lambda e: e.name)
    except OSError as error:
        raise ElrcnError(
            f"A folder cannot be read: {error.strerror}.", where=folder, fix="check its permissions"
        ) from None


def _folders(folder: Path, root: Path) -> list[Path]:
    return [
        Path(e.path)
        for e in _entries(folder)
        if e.is_dir() and (not e.is_symlink() or is_within(Path(e.path), root))
    ]


def find_trees(root: Path, subject: re.Pattern) -> list[Path]:
    """Return the folders, at most three deep, that hold subject folders with clips in them."""
    found, level = [], [root]
    for _ in range(_DEEPEST + 1):
        below = []
        for folder in level:
            children = _folders(folder, root)
            subjects = [c for c in children if subject.fullmatch(c.name)]
            if any(_folders(child, root) for child in subjects):
                found.append(folder)
            else:
                below += [c for c in children if not subject.fullmatch(c.name)]
        level = below
    return found


def find_workbooks(
    root: Path, tree: Path, suffixes: tuple[str, ...] = SHEET_SUFFIXES
) -> list[Path]:
    """Return the Excel files in the root, its folders that hold no frames, and above the tree.

    Raises
    ------
    ElrcnError
        If one is a link that leads out of the root, or nowhere.
    """
    folders = [root]
    folders += [c for c in _folders(root, root) if c != tree and not tree.is_relative_to(c)]
    folders += [p for p in (tree, *tree.parents) if p != root and p.is_relative_to(root)]
    found = []
    for folder in folders:
        for entry in _entries(folder):
            if Path(entry.name).suffix.casefold() in suffixes:
                if not is_within(Path(entry.path), root):
                    raise ElrcnError(
                        "A sheet is a link that leads out of the root, or nowhere.",
                        where=entry.path,
                        fix="put a copy of the file in its place, or remove the link",
                    )
                found.append(Path(entry.path))
    return found


def list_clips(
    tree: Path, root: Path, subject: re.Pattern
) -> tuple[dict[tuple[int, str], list[ClipFolder]], list[str]]:
    """Return clip folders by (subject number, casefolded name), and links that lead out.

    More than one folder under a key means the tree is ambiguous ("sub1" beside "sub01").
    """
    clips: dict[tuple[int, str], list[ClipFolder]] = defaultdict(list)
    outside = []
    for entry in _entries(tree):
        match = subject.fullmatch(entry.name)
        if not match:
            continue
        if not _stays(entry, root):
            outside.append(entry.name)
        elif entry.is_dir():
            for clip in _entries(Path(entry.path)):
                if not _stays(clip, root):
                    outside.append(f"{entry.name}/{clip.name}")
                elif clip.is_dir():
                    path = Path(clip.path).relative_to(root).as_posix()
                    folder = ClipFolder(int(match[1]), clip.name, path)
                    clips[folder.subject, clip.name.strip().casefold()].append(folder)
    return dict(clips), outside


def _stays(entry: os.DirEntry, root: Path) -> bool:
    return not entry.is_symlink() or is_within(Path(entry.path), root)


def list_frames(folder: Path, root: Path, frame: re.Pattern) -> FrameListing:
    """List the frames of one clip's folder; `frame` matches a stem, its last group the number."""
    listing = FrameListing()
    claims: dict[int, list[str]] = defaultdict(list)
    for entry in _entries(folder):
        stem, suffix = os.path.splitext(entry.name)
        match = frame.fullmatch(stem) if suffix.casefold() in FRAME_SUFFIXES else None
        if not _stays(entry, root):
            listing.outside.append(entry.name)
        elif not match or not entry.is_file():
            listing.strange.append(entry.name)
        else:
            claims[int(match[match.re.groups])].append(entry.name)
    for number in sorted(claims):
        names = claims[number]
        if len(names) == 1:
            listing.numbers[number] = names[0]
        else:
            listing.duplicates[number] = names
    return listing
