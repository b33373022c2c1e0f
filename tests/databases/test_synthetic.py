"""Made data are told from recorded ones by what is in them, wherever they are copied to."""

import shutil

import cv2
import numpy as np
import openpyxl
import pytest
from layouts import mark_synthetic, write_casme2, write_samm

from elrcn.corpus.film import MARK, encode, mark_jpeg
from elrcn.corpus.write import workbook_bytes
from elrcn.databases import casme2
from elrcn.databases.check import check_report
from elrcn.databases.synthetic import find_mark, is_synthetic

LABELS = "CASME2-coding-20140508.xlsx"


@pytest.fixture
def licensed(tmp_path):
    """A database in the layout of CASME II whose files carry no mark."""
    return write_casme2(tmp_path / "CASME2")


def marked_sheet(root):
    """Put the mark into the label sheet as the corpus does, its rows unchanged."""
    path = root / LABELS
    sheets = openpyxl.load_workbook(path).worksheets
    rows = {s.title: list(s.iter_rows(values_only=True)) for s in sheets}
    path.write_bytes(workbook_bytes(rows))


def test_a_mark_changes_no_pixel(tmp_path):
    rng = np.random.default_rng(1)
    for shape in ((40, 30), (40, 30, 3)):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        plain = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        marked = encode(pixels, 90)
        assert marked == mark_jpeg(plain) != plain
        assert marked[:20] == plain[:20]  # JFIF's own segment stays the first
        assert marked.replace(b"\xff\xfe\x00\x2e" + MARK.encode(), b"") == plain
        read = [
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            for data in (plain, marked)
        ]
        np.testing.assert_array_equal(*read)


def test_licensed_data_are_not_synthetic_whatever_lies_beside(licensed):
    (licensed.parent / "corpus.json").write_text('{"done": true}')
    assert not is_synthetic(licensed)
    assert not is_synthetic(licensed.parent / "nowhere" / "CASME2")


def test_frames_alone_tell(licensed, tmp_path):
    mark_synthetic(licensed)
    copy = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(licensed, copy)
    assert is_synthetic(copy)
    (tmp_path / "link").symlink_to(copy)
    assert is_synthetic(tmp_path / "link")
    assert check_report({"CASME2": copy}, progress=False).synthetic


def test_a_sheet_alone_tells_and_reads_the_same(licensed):
    before = casme2.load(licensed, progress=False)
    marked_sheet(licensed)
    assert find_mark(licensed).sheets == 1
    assert is_synthetic(licensed)
    after = casme2.load(licensed, progress=False)
    assert after.manifest.table.equals(before.manifest.table)
    assert after.findings == before.findings


def test_a_sheet_saved_by_other_programs_still_tells(licensed):
    marked_sheet(licensed)
    book = openpyxl.load_workbook(licensed / LABELS)
    book.properties = openpyxl.packaging.core.DocumentProperties(creator="someone")
    book.save(licensed / LABELS)
    assert is_synthetic(licensed)


def test_an_old_excel_sheet_tells(tmp_path):
    root = write_casme2(tmp_path / "CASME2", sheet="labels.xls", classes=None)
    assert not is_synthetic(root)
    import xlwt

    book = xlwt.Workbook()
    book.add_sheet("Sheet1")
    book.add_sheet("Synthetic").write(0, 1, MARK)
    book.save(str(root / "labels.xls"))
    assert is_synthetic(root)


def test_sheets_of_older_generators_are_known_by_their_signature(licensed):
    book = openpyxl.load_workbook(licensed / LABELS)
    book.properties.creator = "elrcn"
    book.save(licensed / LABELS)
    assert is_synthetic(licensed)


def test_a_mixture_counts_as_synthetic_and_is_said(licensed):
    mark_synthetic(licensed / "Cropped" / "sub01" / "EP02_01f")
    assert is_synthetic(licensed)
    report = check_report({"CASME2": licensed}, progress=False)
    assert report.synthetic
    assert "1 of 5 clip folders are synthetic" in report.render_text()


def test_one_synthetic_database_beside_a_licensed_one(licensed, tmp_path):
    roots = {"CASME2": mark_synthetic(licensed), "SAMM": write_samm(tmp_path / "SAMM")}
    report = check_report(roots, progress=False)
    assert not report.synthetic
    assert report.render_text().startswith("CASME II: these data are SYNTHETIC")
    assert [one.synthetic for one in report.databases] == [True, False]


def test_what_cannot_be_read_carries_no_mark(licensed):
    (licensed / "broken.xlsx").write_bytes(b"PK\x03\x04 and no more")
    (licensed / "broken.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    (licensed / "Cropped" / "sub01" / "EP02_01f" / "a.jpg").symlink_to("nowhere")
    assert not is_synthetic(licensed)
