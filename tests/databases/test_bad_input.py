"""Bad input, one line each: what is done to a good copy, what must be said, the exit code.

2: something must be mended or decided first. 1: usable, with remarks. 0: no cause for either.
"""

import datetime
import re
import shutil

import openpyxl
import pytest
from layouts import (
    CASME2,
    CASME2_HEADER,
    SAMM,
    casme2_rows,
    changed,
    class_rows,
    jpeg,
    mark_synthetic,
    samm_rows,
    write_book,
    write_casme2,
    write_frames,
    write_samm,
)

from elrcn.databases import require_usable
from elrcn.databases.check import check_report
from elrcn.errors import ElrcnError
from elrcn.manifest import KINDS, LEFT_OUT

SHEET = "CASME2-coding-20140508.xlsx"
CLASSES = "CASME2-ObjectiveClasses.xlsx"
CODES = "SAMM_Micro_FACS_Codes_v2.xlsx"
CLIP = "Cropped/sub01/EP02_01f"


def cell(index=0, **cells):
    """Rewrite a cell of the label sheet."""
    return lambda root: write_casme2(root, changed(CASME2, index, **cells), frames=False)


def samm_cell(index=0, **cells):
    return lambda root: write_samm(root, changed(SAMM, index, **cells), frames=False)


def rows(more):
    return lambda root: write_casme2(root, [*CASME2, *more], frames=False)


def without_column(name):
    def change(root):
        at = CASME2_HEADER.index(name)
        kept = [row[:at] + row[at + 1 :] for row in map(tuple, casme2_rows(CASME2))]
        write_book(root / SHEET, {"Sheet1": kept})

    return change


def write(path, data):
    def change(root):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)

    return change


def remove(pattern, keep=0):
    def change(root):
        for path in sorted(root.glob(pattern))[keep:]:
            path.unlink()

    return change


def cut(path, part):
    def change(root):
        data = (root / path).read_bytes()
        (root / path).write_bytes(data[: int(len(data) * part)])

    return change


def link_out(path):
    def change(root):
        (root.parent / "secret.jpg").write_bytes(jpeg())
        (root / path).unlink()
        (root / path).symlink_to(root.parent / "secret.jpg")

    return change


def move(old, new):
    def change(root):
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)

    return change


def classes(*cells):
    """Append rows to the sheet of objective classes."""

    def change(root):
        write_book(root / CLASSES, {"Sheet1": [*class_rows(CASME2), *cells]})

    return change


def twice_the_column(root):
    table = [(*row, row[3]) for row in map(tuple, casme2_rows(CASME2))]
    write_book(root / SHEET, {"Sheet1": table})


def without_quantization(root):
    """Turn the quantization table into a comment: the markers are fine, the image is not."""
    data = (root / FIRST).read_bytes()
    (root / FIRST).write_bytes(data.replace(b"\xff\xdb", b"\xff\xfe"))


def cut_end(path):
    def change(root):
        (root / path).write_bytes((root / path).read_bytes()[:-9])

    return change


FIRST = f"{CLIP}/reg_img46.jpg"
BAD = {
    # folders
    "no folder": (lambda root: root.rename(root.parent / "gone"), "does not exist", 2),
    "a file for a folder": (
        lambda root: (root.rename(root.parent / "gone"), root.write_text("x")),
        "does not exist",
        2,
    ),
    "no frames at all": (move("Cropped", "../gone"), "no frame folders of CASME II", 2),
    "an empty tree": (remove("Cropped/*/*/*"), "No clip of CASME2 can be used", 2),
    "another layout": (
        move("Cropped", "a/b/c/d/Cropped"),
        "expected Cropped/sub01/EP02_01f/reg_img46.jpg",
        2,
    ),
    "two trees": (
        lambda root: write_casme2(root, tree="Cropped-updated/Cropped"),
        "2 copies of the frames",
        2,
    ),
    "raw frames only": (
        move("Cropped", "CASME2_RAW_selected"),
        "choose the source raw",
        2,
    ),
    "one subject twice": (
        lambda root: write_frames(root / "Cropped/sub1/EP02_01f", 46, 70),
        "several folders: Cropped/sub01/EP02_01f, Cropped/sub1/EP02_01f",
        2,
    ),
    "one clip twice, in another case": (
        lambda root: write_frames(root / "Cropped/sub01/ep02_01F", 46, 70),
        "several folders",
        2,
    ),
    # sheets
    "no sheet": (remove("*.xlsx"), "no label sheet of CASME II", 2),
    "sheet beside the folder": (
        move(SHEET, f"../{SHEET}"),
        f"give the folder above, which holds {SHEET}",
        2,
    ),
    "a text file for a sheet": (write(SHEET, b"Subject,Filename"), "no Excel workbook", 2),
    "an empty sheet file": (write(SHEET, b""), "no Excel workbook", 2),
    "a damaged .xlsx": (cut(SHEET, 0.5), "damaged or encrypted", 2),
    "a damaged .xls": (
        lambda root: write(SHEET, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600)(root),
        "damaged or encrypted",
        2,
    ),
    "a workbook without a header": (
        lambda root: openpyxl.Workbook().save(root / SHEET),
        "no label sheet",
        2,
    ),
    **{
        f"no column {name}": (without_column(name), f"lacks the column {said}", 2)
        for name, said in {
            "Subject": "Subject",
            "Filename": "Filename",
            "OnsetFrame": "Onset Frame",
            "ApexFrame": "Apex Frame",
            "OffsetFrame": "Offset Frame",
            "Action Units": "Action Units",
            "Estimated Emotion": "Estimated Emotion",
        }.items()
    },
    "a column twice": (twice_the_column, "two columns for 'OnsetFrame'", 2),
    "no row": (lambda root: write_casme2(root, [], frames=False), "No clip of CASME2", 2),
    "class sheet without its column": (
        lambda root: write_book(root / CLASSES, {"S": [("Subject", "Filename"), ("01", "EP")]}),
        "The sheet of objective classes lacks the column Objective Class",
        2,
    ),
    "no class sheet": (remove(CLASSES), "action-unit rule gives them all", 1),
    "2019 revision": (
        lambda root: (
            (root / CLASSES).unlink(),
            write_casme2(root, tenth=True, classes=None, frames=False),
        ),
        "174 clips in classes I to V, not the 185",
        1,
    ),
    # rows
    "Filename climbs out": (
        cell(filename="../../etc"),
        f"'../../etc' is no clip's name; nothing was read there ({SHEET}, row 2)",
        2,
    ),
    "Filename is absolute": (cell(filename="/etc/passwd"), "nothing was read there", 2),
    "Filename is a drive": (cell(filename="C:\\Windows"), "nothing was read there", 2),
    "blank Filename": (cell(filename=None), f"has no Filename and was left out ({SHEET}, row", 1),
    "blank Subject": (cell(subject=" "), "has no Subject", 1),
    "Subject in words": (cell(subject="one"), "'one' is no subject of CASME2", 2),
    "Subject 0": (cell(subject=0), "'0' is no subject", 2),
    "onset in words": (cell(onset="early"), "onset 'early' is no frame number", 2),
    "onset with a fraction": (cell(onset=46.5), "onset '46.5' is no frame number", 2),
    "onset a date": (cell(onset=datetime.date(2014, 5, 8)), "is no frame number", 2),
    "onset true": (cell(onset=True), "onset 'True' is no frame number", 2),
    "onset far below 0": (cell(onset=-46), "onset -46 is no frame number", 2),
    "blank onset": (cell(onset=None), "onset is blank", 1),
    "offset 0": (cell(offset=0), "offset is 0; the clip needs a line in corrections.csv", 1),
    "blank offset": (cell(offset=None), "offset is blank", 1),
    "offset a formula's error": (cell(offset="#REF!"), "offset '#REF!' is no frame number", 2),
    "offset before onset": (cell(offset=40), "offset 40 comes before onset 46", 2),
    "one frame by the sheet": (cell(offset=46), "has one frame (46); motion needs two", 2),
    "apex in words": (cell(apex="soon"), "apex 'soon' is no frame number; taken as unknown", 1),
    "apex too late": (cell(apex=99), "apex 99 lies outside 46..70; taken as unknown", 1),
    "apex too early": (cell(apex=2), "apex 2 lies outside", 1),
    "units in words": (cell(units="brow lowered"), "not action units: 'brow lowered'", 1),
    "units a date": (cell(units=datetime.date(2014, 4, 7)), "not action units: '2014-04-07", 1),
    "unknown emotion": (cell(emotion="joy"), "emotion 'joy' is not known; none taken", 1),
    "blank emotion": (cell(emotion=None), "emotion '' is not known", 1),
    "class 9": (cell(cls=9), "objective class '9' is none of I to VII; the rule decides", 1),
    "class against the rule": (cell(cls="V"), "class V in the sheet, III by the rule", 1),
    "class of no clip": (classes(("05", "EP99_01", 3)), "in the sheet of classes only", 1),
    "two classes": (classes(("01", "EP02_01f", 5)), "classed III and V", 2),
    "no class of a clip": (
        lambda root: write_book(root / CLASSES, {"S": class_rows(CASME2[1:])}),
        "not in the sheet of classes; the rule decides",
        1,
    ),
    "the same row twice": (rows([CASME2[0]]), "the same row again; the first counts", 1),
    "two rows disagree": (
        rows(changed(CASME2[:1], 0, emotion="others")),
        "rows disagree about the clip (CASME2-coding-20140508.xlsx, row 2 and",
        2,
    ),
    "row without a folder": (cell(filename="EP77_01"), "CASME2/sub01/EP77_01", 1),
    "folder without a row": (
        lambda root: write_frames(root / "Cropped/sub26/EP09_01", 1, 30),
        "Cropped/sub26/EP09_01",
        1,
    ),
    "a clip too short": (cell(offset=60), "15 frames, outside 24..141", 1),
    # frames
    "JPEG cut short": (cut_end(FIRST), f"the JPEG is truncated (no end marker) ({FIRST})", 2),
    "JPEG cut in its header": (cut(FIRST, 0.1), "the file is cut short in its header", 2),
    "empty JPEG": (write(FIRST, b""), "the file is empty", 2),
    "JPEG of zeros": (write(FIRST, b"\0" * 500), "the file holds only zeros", 2),
    "text for a JPEG": (write(FIRST, b"<html>not found</html>"), "is no JPEG, PNG or BMP", 2),
    "JPEG without a scan": (write(FIRST, b"\xff\xd8\xff\xd9"), "the JPEG holds no image", 2),
    "JPEG that does not decode": (without_quantization, "the image does not decode", 2),
    "frames of two sizes": (write(FIRST, jpeg(1, 16)), "frames differ in size", 2),
    "one clip of another size": (
        lambda root: write_frames(root / CLIP, 46, 70, size=16),
        "16x16 pixels; 8x8 is usual",
        1,
    ),
    "one frame on disk": (remove(f"{CLIP}/*", keep=1), "1 frames of 46..70", 2),
    "other frame numbers": (
        lambda root: (remove(f"{CLIP}/*")(root), write_frames(root / CLIP, 1, 25)),
        "0 frames of 46..70; the folder holds 1..25",
        2,
    ),
    "a frame missing within": (
        remove(f"{CLIP}/reg_img50.jpg"),
        "1 frames of 25 are missing: 50",
        1,
    ),
    "one number twice": (
        write(f"{CLIP}/reg_img046.jpg", jpeg(9)),
        "several files claim one frame number: reg_img046.jpg, reg_img46.jpg",
        2,
    ),
    "a copy of a frame": (
        write(f"{CLIP}/reg_img46 (1).jpg", jpeg(9)),
        "not frames, ignored: reg_img46 (1).jpg",
        1,
    ),
    "a frame that is a link outwards": (link_out(FIRST), "links lead out of the root", 2),
    "a frame that is a folder": (
        lambda root: ((root / FIRST).unlink(), (root / FIRST).mkdir()),
        "1 frames of 25 are missing: 46",
        1,
    ),
}  # fmt: skip
BAD_SAMM = {
    "no sheet": (remove("*.xlsx"), "no label sheet of SAMM", 2),
    "no folder": (lambda root: root.rename(root.parent / "gone"), "does not exist", 2),
    "Filename climbs out": (samm_cell(filename="../.."), f"({CODES}, row 15)", 2),
    "Filename of another subject": (
        samm_cell(filename="011_2_1"),
        "does not begin with subject 006",
        2,
    ),
    "offset -1": (samm_cell(offset=-1), "offset is -1", 1),
    "soft focus": (samm_cell(2, units="R14+17+soft focus"), "not action units: 'soft focus'", 1),
    "JPEG cut short": (cut_end("006/006_1_2/006_05562.jpg"), "the JPEG is truncated", 2),
    "two sheets with labels": (
        lambda root: write_book(
            root / CODES, {"A": samm_rows(SAMM), "B": samm_rows(changed(SAMM, 0, offset=5580))}
        ),
        "2 label sheets of SAMM and they differ",
        2,
    ),
    "padded twice": (
        write("006/006_1_2/006_5562.jpg", jpeg(1)),
        "several files claim one frame number: 006_05562.jpg, 006_5562.jpg",
        2,
    ),
}
assert len(BAD) + len(BAD_SAMM) >= 40
CASES = [("CASME2", name, *case) for name, case in BAD.items()]
CASES += [("SAMM", name, *case) for name, case in BAD_SAMM.items()]


def rows_left_out(reading):
    """Rows that the findings say are in no manifest: by their place, or by their clip."""
    said = [f for f in reading.findings if f.kind in LEFT_OUT]
    places = {p for f in said for p in re.findall(r"row \d+", f.where)}
    clips = {f.clip for f in said if f.clip and "row " not in f.where}
    rows = {label.clip_id: re.search(r"row \d+", label.where)[0] for label in reading.labels}
    return len(places | {rows[clip] for clip in clips if clip in rows})


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """One clean copy of each database; every case spoils a copy of its own."""
    base = tmp_path_factory.mktemp("good")
    roots = {
        "CASME2": mark_synthetic(write_casme2(base / "CASME2")),
        "SAMM": mark_synthetic(write_samm(base / "SAMM")),
    }
    clean = check_report(roots, deep=True, progress=False)
    assert clean.exit_code == 0, clean.render_text()
    return base


@pytest.mark.parametrize(
    ("database", "change", "message", "code"),
    [(database, *rest) for database, _, *rest in CASES],
    ids=[f"{database}: {name}" for database, name, *_ in CASES],
)
def test_bad_input(good, tmp_path, database, change, message, code):
    root = tmp_path / database
    shutil.copytree(good / database, root)
    mark_synthetic(root)
    change(root)
    spoilt = set(tmp_path.rglob("*"))

    report = check_report({database: root}, deep=True, progress=False)

    text = report.render_text()
    assert message in text
    assert report.exit_code == code, text
    assert "Traceback" not in text
    assert set(tmp_path.rglob("*")) == spoilt  # reading writes nothing
    if reading := report.databases[0].reading:
        assert reading.rows == len(reading.manifest) + rows_left_out(reading)
        assert f"rows    {reading.rows} = {len(reading.manifest)} clips used + " in text
        assert all(f.kind in KINDS and f.kind for f in reading.findings)
        assert "no known reason" not in text
    if report.databases[0].failed:
        assert isinstance(report.databases[0].failed, ElrcnError)
    elif code == 2:
        with pytest.raises(ElrcnError, match="must be mended first"):
            require_usable(report.findings)
    else:
        require_usable(report.findings)
