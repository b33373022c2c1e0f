"""Tiny copies of both databases in their true formats, for the readers' tests."""

from pathlib import Path

import cv2
import numpy as np
import openpyxl
import xlwt

from elrcn.corpus.film import mark_jpeg

# fmt: off
CASME2 = [  # subject, filename, onset, apex, offset, units, emotion, class
    ("01", "EP02_01f", 46, 59, 70, "4+7", "disgust", "III"),
    ("01", "EP19_05f", 8, "/", 31, 12, "happiness", "I"),
    ("02", "EP01_11f", 98, 101, 123, "R1+R2", "surprise", "II"),
    ("02", "EP13_04", 1, 2, 24, "?", "others", "VII"),
    ("17", "EP05_09", 9, 10, 33, "4+L10", "repression", "IV"),
]
SAMM = [
    ("006", "006_1_2", 5562, 5565, 5586, "7B", "Anger", "VII"),
    ("006", "006_1_3", 9990, 9999, 10014, "L12A", "Happiness", "I"),
    ("011", "011_2_1", 310, -1, 334, "(R6 or R12) + R15", "Other", "VII"),
]
# fmt: on
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


def jpeg(value=0, size=8):
    """One small JPEG, different for each value."""
    image = np.full((size, size), 0, np.uint8)
    image[: size // 2] = value * 37 % 256
    return cv2.imencode(".jpg", image)[1].tobytes()


def write_frames(folder: Path, first, last, pattern="reg_img{}.jpg", size=8):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, last + 1):
        (folder / pattern.format(number)).write_bytes(jpeg(number, size))


def write_book(path: Path, sheets):
    """Write ``{name: rows}`` as .xlsx or, by the suffix, .xls."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".xls":
        book = xlwt.Workbook()
        for name, rows in sheets.items():
            sheet = book.add_sheet(name)
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    if cell is not None:
                        sheet.write(r, c, cell)
        book.save(str(path))
        return path
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def casme2_rows(clips, tenth=False):
    header = CASME2_HEADER + (("Objective Classes",) if tenth else ())
    yield header
    for subject, name, onset, apex, offset, units, emotion, cls in clips:
        row = (subject, name, None, onset, apex, offset, None, units, emotion)
        yield row + ((cls,) if tenth else ())


def samm_rows(clips):
    for line in range(13):
        yield (f"note {line}",)
    yield SAMM_HEADER
    for subject, name, onset, apex, offset, units, emotion, cls in clips:
        yield (subject, name, "x", onset, apex, offset, 5, "Micro - 1/2", units, emotion, cls, "")


def class_rows(clips):
    numbers = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7}
    yield ("Subject", "Filename", "Objective Class")
    for clip in clips:
        yield (clip[0], clip[1], numbers.get(clip[7], clip[7]))


def write_casme2(
    root: Path,
    clips=CASME2,
    tree="Cropped",
    pattern="reg_img{}.jpg",
    sheet="CASME2-coding-20140508.xlsx",
    tenth=False,
    classes="CASME2-ObjectiveClasses.xlsx",
    frames=True,
    margin=0,
):
    if frames:
        for subject, name, onset, _, offset, *_ in CASME2:
            folder = root / tree / f"sub{subject}" / name
            write_frames(folder, max(1, onset - margin), offset + margin, pattern)
    write_book(root / sheet, {"Sheet1": casme2_rows(clips, tenth), "Sheet2": [], "Sheet3": []})
    if classes:
        write_book(root / classes, {"Sheet1": class_rows(clips)})
    return root


def write_samm(
    root: Path,
    clips=SAMM,
    sheet="SAMM_Micro_FACS_Codes_v2.xlsx",
    tree=".",
    digits=5,
    frames=True,
    tab="MICRO_ONLY",
):
    if frames:
        for subject, name, onset, _, offset, *_ in SAMM:
            folder = root / tree / subject / name
            write_frames(folder, onset, offset, f"{subject}_{{:0{digits}d}}.jpg")
    write_book(root / sheet, {tab: samm_rows(clips)})
    return root


def mark_synthetic(root: Path):
    """Make `root` count as the synthetic dataset, whose counts need not be the published ones."""
    for frame in root.rglob("*.jpg"):
        frame.write_bytes(mark_jpeg(frame.read_bytes()))
    return root


def changed(clips, index, **cells):
    """`clips` with cells of one row replaced by name."""
    names = ("subject", "filename", "onset", "apex", "offset", "units", "emotion", "cls")
    clips = [list(clip) for clip in clips]
    for name, value in cells.items():
        clips[index][names.index(name)] = value
    return [tuple(clip) for clip in clips]


def read(loader, root, *args, **options):
    """Manifest and findings of a database's loader."""
    reading = loader.load(root, *args, **options)
    return reading.manifest, reading.findings
