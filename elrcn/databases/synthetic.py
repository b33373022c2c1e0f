"""Is a database the embedded corpus, and is it whole? One rule for all who ask.

It is told by the mark inside the data, whatever lies beside them.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from elrcn.corpus.film import MARK
from elrcn.corpus.write import (
    RECEIPT,
    VERSION,
    find_damage,
    find_strangers,
    read_corpus_receipt,
)
from elrcn.databases.folders import FRAME_SUFFIXES, SHEET_SUFFIXES, suffix_of, walk
from elrcn.databases.sheets import read_workbook, text
from elrcn.manifest import Finding

_MARK = MARK.encode("ascii")
#: Generators before version 4 wrote no mark, but signed their sheets.
_SIGNED = b"<dc:creator>elrcn</dc:creator>"
_MEND = "`elrcn corpus make` mends it; without corpus.json beside it a copy is read as it is"
_HEAD = 4096  # comments stand at the beginning of a file


@dataclass(frozen=True)
class Mark:
    """Where the mark of the embedded corpus was found below a database's root.

    Attributes
    ----------
    sheets : int
        Workbooks that carry it.
    clips, of : int
        Folders whose first frame carries it, of so many folders with frames.
    """

    sheets: int
    clips: int
    of: int

    @property
    def found(self) -> bool:
        """Whether the database counts as synthetic: one marked sheet or clip is enough."""
        return self.sheets > 0 or self.clips > 0

    @property
    def mixture(self) -> str:
        """What to say if only some clips are synthetic; "" otherwise."""
        if not 0 < self.clips < self.of:
            return ""
        return f"{self.clips} of {self.of} clip folders are synthetic, so the whole counts as such"


def is_synthetic(root: str | Path) -> bool:
    """Tell whether the database at `root` is, in whole or in part, the embedded corpus."""
    return find_mark(root).found


def find_mark(root: str | Path) -> Mark:
    """Look for the mark in every workbook and in the first frame of every folder below `root`.

    Links out of the root are not followed, as no reader follows them. What cannot be read carries
    no mark.
    """
    sheets = clips = of = 0
    for folder, files in walk(Path(root).expanduser().resolve()):
        books = [name for name in files if suffix_of(name) in SHEET_SUFFIXES]
        sheets += sum(_marked_sheet(Path(folder, name)) for name in books)
        frames = (name for name in files if suffix_of(name) in FRAME_SUFFIXES)
        if frame := next(frames, None):
            of += 1
            clips += _marked_frame(os.path.join(folder, frame))
    return Mark(sheets, clips, of)


def _marked_frame(path: str) -> bool:
    try:
        if not os.path.isfile(path):  # a pipe would block
            return False
        with open(path, "rb") as file:
            return _MARK in file.read(_HEAD)
    except OSError:
        return False


def _marked_sheet(path: Path) -> bool:
    """Tell whether a workbook carries the mark in its properties or in a cell."""
    try:
        if not zipfile.is_zipfile(path):
            rows = [row for sheet in read_workbook(path) for row in sheet.rows]
            return any(MARK in text(cell) for row in rows for cell in row)
        with zipfile.ZipFile(path) as book:
            for part in book.infolist():
                data = book.read(part) if _holds_text(part) else b""
                if _MARK in data or (part.filename.startswith("docProps/") and _SIGNED in data):
                    return True
    except Exception:  # a damaged file raises nearly anything; the reader says what is wrong
        pass
    return False


def _holds_text(part: zipfile.ZipInfo) -> bool:
    where = ("docProps/", "xl/sharedStrings", "xl/worksheets/")
    return part.filename.startswith(where) and part.file_size < 1 << 26


def corpus_of(database: str, root: str | Path) -> Path | None:
    """Folder of the corpus that the database at `root` lies in, with its receipt; None if in none.

    Only there it is checked, and only there its truth is looked for: both need the name the
    generator gave it. Under another name it is a copy that is read as it is.
    """
    root = Path(root).expanduser().resolve()
    return root.parent if root.name == database and (root.parent / RECEIPT).exists() else None


def origin_findings(database: str, root: str | Path) -> list[Finding]:
    """Say what a person must know about a copy of the embedded corpus; [] for a licensed database.

    A corpus named by its path is the user's: it is not mended behind their back, and no number is
    computed on a damaged one. Each clip or sheet that differs from the receipt beside the copy is
    an error; a copy without a receipt, or renamed, can only be read as it is (see `corpus_of`).

    Parameters
    ----------
    database : str
        "CASME2" or "SAMM".
    root : path
        Its folder.
    """
    root = Path(root).expanduser().resolve()
    mark = find_mark(root)
    if not mark.found:
        return []
    found = [Finding("remark", mark.mixture, str(root), kind="mixture")] if mark.mixture else []
    if corpus_of(database, root):
        found += [
            Finding("error", what, where, clip, "error") for what, where, clip in _damage(root)
        ]
    return found


def _damage(root: Path):
    """Yield what is wrong with a database of the corpus that it lies in: what, where, clip."""
    corpus, database = root.parent, root.name
    receipt = read_corpus_receipt(corpus)
    if receipt is None:
        yield f"the corpus' receipt cannot be read; {_MEND}", RECEIPT, ""
        return
    if receipt["version"] != VERSION:
        version = receipt["version"]
        yield f"written by version {version} of the generator: make the corpus again", RECEIPT, ""
        return
    if not receipt.get("done"):
        yield f"the corpus is unfinished; {_MEND}", RECEIPT, ""
        return
    clips = {clip: r for clip, r in receipt["clips"].items() if clip.split("/")[0] == database}
    sheets = {name: d for name, d in receipt["sheets"].items() if name.split("/")[0] == database}
    if any("names" not in record for record in clips.values()):
        yield "written by an older generator, which kept no frame names: make it again", RECEIPT, ""
        return
    truth = (corpus / "truth" / database).is_dir()
    for one in find_damage(corpus, clips, sheets, truth):
        yield f"{one.what}; {_MEND}", one.path.relative_to(corpus).as_posix(), one.clip
    for path in find_strangers(corpus, clips, [database]):
        yield f"it is no part of the corpus; {_MEND}", path.relative_to(corpus).as_posix(), ""
