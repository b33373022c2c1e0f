"""Is a database the synthetic dataset, and is it whole? One rule for all who ask.

It is told by the mark inside the data, whatever lies beside them.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from elrcn.corpus.film import MARK
from elrcn.corpus.write import RECEIPT, VERSION, find_damage, find_strangers, read_corpus_receipt
from elrcn.databases.folders import FRAME_SUFFIXES, SHEET_SUFFIXES, suffix_of, walk
from elrcn.databases.sheets import read_workbook, text
from elrcn.manifest import Findings, Manifest

_MARK = MARK.encode("ascii")
#: Generators before version 4 wrote no mark, but signed their sheets.
_SIGNED = b"<dc:creator>elrcn</dc:creator>"
_MEND = "`elrcn corpus make` mends it; without corpus.json beside it a copy is read as it is"
#: What a sentence calls a database.
TITLES = {"CASME2": "CASME II", "SAMM": "SAMM"}
_HEAD = 4096  # comments stand at the beginning of a file


class Mark(NamedTuple):
    """Where the mark of the synthetic dataset was found below a database's root."""

    sheets: int  # workbooks that carry it
    clips: int  # folders whose first frame carries it
    of: int  # folders with frames

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
    """Tell whether the database at `root` is, in whole or in part, the synthetic dataset."""
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
    places = ("docProps/", "xl/sharedStrings", "xl/worksheets/")
    try:
        if not zipfile.is_zipfile(path):
            rows = [row for sheet in read_workbook(path) for row in sheet.rows]
            return any(MARK in text(cell) for row in rows for cell in row)
        with zipfile.ZipFile(path) as book:
            for part in book.infolist():
                if part.filename.startswith(places) and part.file_size < 1 << 26:
                    data = book.read(part)
                    signed = _SIGNED in data and part.filename.startswith("docProps/")
                    if _MARK in data or signed:
                        return True
    except Exception:  # a damaged file raises nearly anything; the reader says what is wrong
        pass
    return False


def corpus_of(database: str, root: str | Path) -> Path | None:
    """Folder of the corpus that the database at `root` lies in, with its receipt; None if in none.

    Only there it is checked, and only there its truth is looked for: both need the name the
    generator gave it. Under another name it is a copy that is read as it is.
    """
    root = Path(root).expanduser().resolve()
    return root.parent if root.name == database and (root.parent / RECEIPT).exists() else None


def origin_findings(database: str, root: str | Path) -> Findings:
    """Say what one must know about a copy of the synthetic dataset; [] for a licensed database.

    A corpus named by its path is the user's: it is not mended behind their back, and no number is
    computed on a damaged one. Each clip or sheet of `database` that differs from the receipt beside
    the copy is an error; a copy without a receipt, or renamed, can only be read as it is (see
    `corpus_of`).
    """
    root, found = Path(root).expanduser().resolve(), Findings()
    mark, corpus = find_mark(root), corpus_of(database, root)
    if mark.found and mark.mixture:
        found.remark("mixture", mark.mixture, str(root))
    if not mark.found or corpus is None:
        return found
    receipt = read_corpus_receipt(corpus)
    if receipt is None:
        found.error(f"the corpus' receipt cannot be read; {_MEND}", RECEIPT)
        return found
    version = receipt["version"]
    held = receipt.get("clips", {}) if version == VERSION else {}
    clips = {clip: record for clip, record in held.items() if clip.split("/")[0] == database}
    if version != VERSION:
        what = f"written by version {version} of the generator: make the corpus again"
        found.error(what, RECEIPT)
    elif not receipt.get("done"):
        found.error(f"the corpus is unfinished; {_MEND}", RECEIPT)
    elif any("names" not in record for record in clips.values()):
        what = "written by an older generator, which kept no frame names: make it again"
        found.error(what, RECEIPT)
    else:
        sheets = {n: d for n, d in receipt["sheets"].items() if n.split("/")[0] == database}
        truth = (corpus / "truth" / database).is_dir()
        for one in find_damage(corpus, clips, sheets, truth):
            place = one.path.relative_to(corpus).as_posix()
            found.error(f"{one.what}; {_MEND}", place, one.clip)
        for path in find_strangers(corpus, clips, [database]):
            place = path.relative_to(corpus).as_posix()
            found.error(f"it is no part of the corpus; {_MEND}", place)
    return found


@dataclass(frozen=True)
class Origin:
    """Origin of a set of clips.

    Attributes
    ----------
    synthetic : dict of str to bool
        Database name to whether its data carry the mark of the synthetic dataset.
    clips, subjects : dict of str to int
        Counts per database.
    mixture : dict of str to str
        Databases in which only some clips are synthetic, and what to say of them.
    """

    synthetic: dict[str, bool]
    clips: dict[str, int]
    subjects: dict[str, int]
    mixture: dict[str, str] = field(default_factory=dict)

    @property
    def any_synthetic(self) -> bool:
        """Whether at least one database is made, not recorded."""
        return any(self.synthetic.values())

    @property
    def label(self) -> str:
        """Few words for a caption, such as "synthetic dataset in the layout of CASME II"."""
        made = [TITLES.get(name, name) for name, flag in self.synthetic.items() if flag]
        real = [TITLES.get(name, name) for name, flag in self.synthetic.items() if not flag]
        parts = []
        if real:
            parts.append(" and ".join(real))
        if made:
            parts.append(f"synthetic dataset in the layout of {' and '.join(made)}")
        said = [f"{TITLES.get(name, name)}: {what}" for name, what in self.mixture.items()]
        return " and ".join(parts) + (f" ({'; '.join(said)})" if said else "")

    @property
    def size(self) -> str:
        """Clips and subjects in words."""
        clips, subjects = sum(self.clips.values()), sum(self.subjects.values())
        return f"{_plural(clips, 'clip')} of {_plural(subjects, 'subject')}"

    def note(self, protocol: str = "") -> str:
        """Return the end of a caption: protocol, number of clips, origin."""
        parts = [protocol[:1].upper() + protocol[1:]] if protocol else []
        return "; ".join([*parts, self.size, self.label]) + "."


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def data_origin(manifest: Manifest) -> Origin:
    """Find out from the data where the clips of `manifest` come from."""
    groups = manifest.table.groupby("database", sort=False)
    marks = {name: find_mark(manifest.roots[name]) for name, _ in groups}
    return Origin(
        synthetic={name: mark.found for name, mark in marks.items()},
        clips={name: len(part) for name, part in groups},
        subjects={name: part["subject"].nunique() for name, part in groups},
        mixture={name: mark.mixture for name, mark in marks.items() if mark.mixture},
    )
