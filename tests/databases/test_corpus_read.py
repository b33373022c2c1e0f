"""The synthetic dataset, in each tree shape and with each quirk of the facts: one manifest."""

import os
import shutil

import openpyxl
import pandas as pd
import pytest
from layouts import write_book

from elrcn.config import CorpusConfig
from elrcn.corpus import make_corpus
from elrcn.databases import casme2, samm
from elrcn.databases.check import check_report

SHEET = "CASME2-coding-20140508.xlsx"
CLASSES = "CASME2-ObjectiveClasses.xlsx"
CODES = "SAMM_Micro_FACS_Codes_v2.xlsx"
READERS = {"CASME2": casme2, "SAMM": samm}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    config = CorpusConfig(casme2_subjects=1, casme2_clips=2, samm_subjects=1, samm_clips=2)
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, config, progress=False)
    return folder


@pytest.fixture(scope="module")
def expected(corpus):
    return {name: read(name, corpus / name) for name in READERS}


def read(name, root):
    """Labels of a copy without a finding, but for the one on a sheet of the 2019 revision."""
    reading = READERS[name].load(root, progress=False)
    manifest, findings = reading.manifest, reading.findings
    later = (root / "CASME2-coding-20190701.xlsx").exists()
    assert [f.kind for f in findings] == ["revision"] * later
    return manifest.table.drop(columns="frames")


def rewrite(path, change, to=None):
    """Pass every row of a workbook through `change` and write it again."""
    book = openpyxl.load_workbook(path)
    sheets = {
        s.title: [change(list(row)) for row in s.iter_rows(values_only=True)]
        for s in book.worksheets
    }
    path.unlink()
    write_book(to or path, sheets)


def at(index, change):
    """Change one cell of each row, where there is one."""

    def row(cells):
        if len(cells) > index and cells[index] is not None:
            cells[index] = change(cells[index])
        return cells

    return row


def number(cell):
    return int(cell) if str(cell).isdecimal() else cell


def move(root, tree):
    kept = root.rename(root.parent / "kept")
    (kept / "Cropped").rename(root.parent / "tree")
    shutil.move(kept, root)
    (root / tree).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(root.parent / "tree", root / tree)


def rename_frames(root, pattern):
    for path in sorted(root.glob("Cropped/*/*/*.jpg")):
        digits = path.stem.removeprefix("reg_img")
        path.rename(path.with_name(pattern.format(int(digits))))


def tenth_column(root):
    """Join the two sheets into one with a tenth column."""
    book = openpyxl.load_workbook(root / CLASSES)
    classes = {row[:2]: row[2] for row in book.worksheets[0].iter_rows(values_only=True)}
    classes["Subject", "Filename"] = "Objective Classes"

    def add(row):
        return [*row[:9], classes.get((row[0], row[1]))]

    rewrite(root / SHEET, add, root / "CASME2-coding-20190701.xlsx")
    (root / CLASSES).unlink()


def litter(root):
    for folder, _, _ in list(os.walk(root)):
        for name in (".DS_Store", "._x.jpg", "Thumbs.db", "desktop.ini"):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(b"x")


def more_frames(root):
    for folder in root.glob("Cropped/*/*"):
        numbers = sorted(int(p.stem.removeprefix("reg_img")) for p in folder.glob("*.jpg"))
        source = folder / f"reg_img{numbers[0]}.jpg"
        for extra in (numbers[0] - 1, numbers[-1] + 1):
            if extra > 0:
                shutil.copy(source, folder / f"reg_img{extra}.jpg")


VARIANTS = {
    "CASME2": {
        "Cropped/Cropped": lambda root: move(root, "Cropped/Cropped"),
        "Cropped-updated/Cropped": lambda root: move(root, "Cropped-updated/Cropped"),
        "padded numbers": lambda root: rename_frames(root, "reg_img{:05d}.jpg"),
        "upper-case names": lambda root: rename_frames(root, "REG_IMG{}.JPG"),
        "frames outside the clip": more_frames,
        "litter": litter,
        ".xls": lambda root: rewrite(
            root / SHEET, lambda row: row, root / "CASME2_label_Ver_2.xls"
        ),
        "integer subjects": lambda root: rewrite(root / SHEET, at(0, number)),
        "trailing blanks": lambda root: rewrite(root / SHEET, at(1, lambda cell: f"{cell} ")),
        "other case": lambda root: rewrite(root / SHEET, at(1, str.upper)),
        "tenth column": tenth_column,
    },
    "SAMM": {
        "nested": lambda root: (
            (root / "SAMM").mkdir()
            or [p.rename(root / "SAMM" / p.name) for p in root.iterdir() if p.name.isdecimal()]
        ),
        "padded to 4": lambda root: [
            p.rename(p.with_name(f"{p.stem[:3]}_{int(p.stem[4:]):04d}.jpg"))
            for p in root.glob("*/*/*.jpg")
        ],
        "litter": litter,
        ".xls": lambda root: rewrite(root / CODES, lambda row: row, root / "SAMM.xls"),
        "integer subjects": lambda root: rewrite(root / CODES, at(0, number)),
        "trailing blanks": lambda root: rewrite(root / CODES, at(8, lambda cell: f"{cell} ")),
    },
}


def test_corpus_reads_clean_as_it_is_written(corpus):
    report = check_report({name: corpus / name for name in READERS}, deep=True, progress=False)
    assert report.exit_code == 0, report.render_text()
    assert report.synthetic
    assert [len(one.reading.manifest) for one in report.databases] == [2, 2]


@pytest.mark.parametrize(
    ("name", "variant"), [(name, v) for name, variants in VARIANTS.items() for v in variants]
)
def test_every_variant_gives_the_same_manifest(corpus, expected, tmp_path, name, variant):
    root = tmp_path / name
    shutil.copytree(corpus / name, root)
    VARIANTS[name][variant](root)
    pd.testing.assert_frame_equal(read(name, root), expected[name])
