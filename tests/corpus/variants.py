"""The same corpus as other people hold theirs: tree shapes, sheet revisions, litter, spellings.

Readers are tried against these copies: each must give the manifest of the plain corpus, or name the
row that it cannot read.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from openpyxl import load_workbook

from elrcn.corpus.film import MARK
from elrcn.corpus.write import workbook_bytes
from elrcn.errors import ElrcnError
from elrcn.files import replacing, write

LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
_CASME2_SHEET = "CASME2-coding-20140508.xlsx"
_CLASSES = "CASME2-ObjectiveClasses.xlsx"
_SAMM_SHEET = "SAMM_Micro_FACS_Codes_v2.xlsx"
_COLUMNS = {  # position of each column in the two label sheets
    "CASME2": {"subject": 0, "name": 1, "apex": 4, "offset": 5, "units": 7, "emotion": 8},
    "SAMM": {"subject": 0, "name": 1, "apex": 4, "offset": 5, "units": 8, "emotion": 9},
}


@dataclass(frozen=True)
class Variant:
    """How a copy differs from the plain corpus.

    Attributes
    ----------
    what : str
        One line for people.
    casme2_frames : str
        Folder of CASME II's subjects below its root.
    raw_names : bool
        ``img46.jpg`` instead of ``reg_img46.jpg``.
    upper : bool
        ``Sub01`` and ``REG_IMG46.JPG``.
    samm_digits : int
        Zero padding of SAMM's frame numbers; 0 keeps each clip's own.
    litter : bool
        Files that macOS and Windows leave behind, in every folder.
    xls : bool
        CASME II's labels as ``CASME2_label_Ver_2.xls``.
    revision_2019 : bool
        Classes in a tenth column of ``CASME2-coding-20190701.xlsx``.
    class_digits : bool
        Objective classes written 1 to 7.
    integer_subjects : bool
        Subjects as numbers: 1 for 01.
    unknown : object
        What stands for an unknown apex (both databases).
    offset_zero : bool
        The first clip of CASME II has OffsetFrame 0.
    trailing_blanks : bool
        Blanks after names, units and emotions.
    """

    what: str
    casme2_frames: str = "Cropped"
    raw_names: bool = False
    upper: bool = False
    samm_digits: int = 0
    litter: bool = False
    xls: bool = False
    revision_2019: bool = False
    class_digits: bool = False
    integer_subjects: bool = False
    unknown: object = "as it is"
    offset_zero: bool = False
    trailing_blanks: bool = False


_RAW = "CASME2_RAW_selected"
VARIANTS: dict[str, Variant] = {
    "plain": Variant("the corpus as it was made"),
    "nested": Variant("Cropped within Cropped", casme2_frames="Cropped/Cropped"),
    "updated": Variant("Cropped-updated/Cropped", casme2_frames="Cropped-updated/Cropped"),
    "raw": Variant("the raw release's folder and names", casme2_frames=_RAW, raw_names=True),
    "raw-nested": Variant(
        "the raw release, nested", casme2_frames=f"{_RAW}/{_RAW}", raw_names=True
    ),
    "case": Variant("Sub01 and REG_IMG46.JPG", upper=True),
    "padded-4": Variant("SAMM's frame numbers padded to 4 digits", samm_digits=4),
    "litter": Variant("files left behind by macOS and Windows", litter=True),
    "xls": Variant("labels in the old Excel format", xls=True),
    "2019": Variant("the 2019 sheet with a tenth column", revision_2019=True),
    "class-digits": Variant("objective classes written 1 to 7", class_digits=True),
    "integer-subjects": Variant("subjects turned into numbers", integer_subjects=True),
    "apex-slash": Variant("unknown apex written /", unknown="/"),
    "apex-minus-one": Variant("unknown apex written -1", unknown=-1),
    "apex-blank": Variant("unknown apex left blank", unknown=None),
    "apex-zero": Variant("unknown apex written 0", unknown=0),
    "offset-zero": Variant("an OffsetFrame of 0", offset_zero=True),
    "trailing-blanks": Variant("blanks after the text of cells", trailing_blanks=True),
}


def emit_variant(corpus_root: str | Path, out_root: str | Path, variant: str | Variant) -> Path:
    """Write a finished corpus again in another form; frames are hard links where possible.

    Parameters
    ----------
    corpus_root : path
        Folder given to `make_corpus`.
    out_root : path
        New or empty folder; receives ``CASME2`` and ``SAMM``. The truth is not copied.
    variant : str or Variant
        A key of `VARIANTS`, or any combination of your own.

    Returns
    -------
    Path
        `out_root`.

    Raises
    ------
    ElrcnError
        If the variant is unknown, the source no corpus, or the target not empty or not writable.
    """
    source, target = Path(corpus_root), Path(out_root)
    if isinstance(variant, str):
        if variant not in VARIANTS:
            raise ElrcnError(
                f"There is no variant called {variant!r}.",
                fix=f"choose one of: {', '.join(VARIANTS)}",
            )
        variant = VARIANTS[variant]
    if not (source / "CASME2" / _CASME2_SHEET).is_file():
        raise ElrcnError("This folder holds no finished corpus.", where=source)
    try:
        if target.exists() and any(target.iterdir()):
            raise ElrcnError(
                "The folder for the variant is not empty.", where=target, fix="choose a new folder"
            )
        _emit_frames(source, target, variant)
        _emit_sheets(source, target, variant)
        if variant.litter:
            _drop_litter(target)
    except OSError as error:
        raise ElrcnError(
            f"The variant could not be written: {error.strerror or error}",
            where=error.filename or target,
            fix="free some disk space or choose a folder you may write to",
        ) from error
    return target


def _emit_frames(source: Path, target: Path, variant: Variant) -> None:
    for frame in sorted((source / "CASME2" / "Cropped").glob("*/*/*.jpg")):
        subject, clip, name = frame.parts[-3:]
        if variant.raw_names:
            name = name.removeprefix("reg_")
        if variant.upper:
            subject, name = subject.capitalize(), name.upper()
        _link(frame, target / "CASME2" / variant.casme2_frames / subject / clip / name)
    for frame in sorted((source / "SAMM").glob("*/*/*.jpg")):
        subject, clip, name = frame.parts[-3:]
        if variant.samm_digits:
            number = int(re.search(r"_(\d+)\.jpg$", name)[1])
            name = f"{subject}_{number:0{variant.samm_digits}d}.jpg"
        if variant.upper:
            name = name.upper()
        _link(frame, target / "SAMM" / subject / clip / name)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _rows(path: Path) -> list[list]:
    book = load_workbook(path, read_only=True)
    try:
        return [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    finally:
        book.close()


def _emit_sheets(source: Path, target: Path, variant: Variant) -> None:
    casme2, samm = target / "CASME2", target / "SAMM"
    rows = _rows(source / "CASME2" / _CASME2_SHEET)
    classes = _rows(source / "CASME2" / _CLASSES)
    codes = _rows(source / "SAMM" / _SAMM_SHEET)
    if variant.offset_zero:
        rows[1][_COLUMNS["CASME2"]["offset"]] = 0
    for row in rows[1:]:
        _spoil(row, "CASME2", variant)
    for row in codes[14:]:
        _spoil(row, "SAMM", variant)
        row[10] = _class(row[10], variant)
    for row in classes[1:]:
        row[2] = _class(row[2], variant)
        row[0] = _subject(row[0], variant)
    if variant.revision_2019:
        header, *body = rows
        labels = [*header, "Objective Classes"]
        by_clip = {tuple(row[:2]): row[2] for row in classes[1:]}
        rows = [labels] + [[*row, by_clip[row[0], str(row[1]).strip()]] for row in body]
        name = "CASME2-coding-20190701.xlsx"
    else:
        name = _CASME2_SHEET
        write(casme2 / _CLASSES, workbook_bytes({"Sheet1": classes}))
    if variant.xls:
        _write_xls(casme2 / "CASME2_label_Ver_2.xls", rows)
    else:
        write(casme2 / name, workbook_bytes({"Sheet1": rows, "Sheet2": [], "Sheet3": []}))
    write(samm / _SAMM_SHEET, workbook_bytes({"MICRO_ONLY": codes}))


def _class(text: str, variant: Variant):
    return "I II III IV V VI VII".split().index(text) + 1 if variant.class_digits else text


def _subject(text: str, variant: Variant):
    return int(text) if variant.integer_subjects else text


def _spoil(row: list, database: str, variant: Variant) -> None:
    """Write one row of a label sheet in the variant's way, in place."""
    at = _COLUMNS[database]
    row[at["subject"]] = _subject(row[at["subject"]], variant)
    if variant.unknown != "as it is" and row[at["apex"]] in ("/", -1):
        row[at["apex"]] = variant.unknown
    if variant.trailing_blanks:
        for column in ("name", "units", "emotion"):
            if isinstance(row[at[column]], str):
                row[at[column]] += "  "


def _write_xls(path: Path, rows: list[list]) -> None:
    """Write an Excel 97 workbook (`xlwt`, a package for development only)."""
    try:
        import xlwt
    except ImportError:
        raise ElrcnError(
            "Writing .xls files needs the package xlwt.", fix="pip install xlwt"
        ) from None
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet1")
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            if value is not None:
                sheet.write(r, c, value)
    book.add_sheet("Sheet2")
    book.add_sheet("Synthetic").write(0, 0, MARK)
    with replacing(path) as part:
        book.save(str(part))


def _drop_litter(target: Path) -> None:
    """Leave the files of macOS and Windows in every folder, and twins of the frames' names."""
    folders = [target, *(p for p in target.rglob("*") if p.is_dir())]
    for folder in folders:
        for name in LITTER:
            (folder / name).write_bytes(b"\0\0\0\1Bud1")
        first = next((p for p in sorted(folder.glob("*.jpg"))), None)
        if first is not None:
            (folder / f"._{first.name}").write_bytes(b"\0\5\x16\7")
