import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace

import cv2
import numpy as np
import openpyxl
import pytest

from elrcn.corpus import make_corpus
from elrcn.corpus.film import MARK
from elrcn.corpus.plan import plan_corpus
from elrcn.errors import ElrcnError


def test_layouts(tiny_corpus, tiny_config):
    for plan in plan_corpus(tiny_config):
        base = tiny_corpus.casme2 / "Cropped" if plan.database == "CASME2" else tiny_corpus.samm
        names = sorted(p.name for p in (base / plan.folder).iterdir())
        assert len(names) == plan.before + plan.length + plan.after
        pattern = r"reg_img[1-9]\d*\.jpg" if plan.database == "CASME2" else r"\d{3}_\d{4,5}\.jpg"
        assert all(re.fullmatch(pattern, name) for name in names)
        frame = cv2.imread(str(base / plan.folder / names[0]), cv2.IMREAD_UNCHANGED)
        assert frame.shape == ((340, 280, 3) if plan.database == "CASME2" else (480, 640))


def test_casme2_sheets(tiny_corpus):
    book = openpyxl.load_workbook(tiny_corpus.casme2 / "CASME2-coding-20140508.xlsx")
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    assert rows[0] == (
        "Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None,
        "Action Units", "Estimated Emotion",
    )  # fmt: skip
    assert len(rows) == 3 and all(row[0] == "01" for row in rows[1:])
    assert [row[4] for row in rows[1:]].count("/") == 1
    assert book.sheetnames == ["Sheet1", "Sheet2", "Sheet3", "Synthetic"]
    assert all(s.max_row == 1 and s["A1"].value is None for s in book.worksheets[1:])
    assert book["Synthetic"]["B1"].value == book.properties.title == MARK
    classes = openpyxl.load_workbook(tiny_corpus.casme2 / "CASME2-ObjectiveClasses.xlsx").active
    assert [c.value for c in classes[1]] == ["Subject", "Filename", "Objective Class"]


def test_samm_sheet(tiny_corpus, tiny_config):
    path = tiny_corpus.samm / "SAMM_Micro_FACS_Codes_v2.xlsx"
    rows = list(openpyxl.load_workbook(path)["MICRO_ONLY"].iter_rows(values_only=True))
    assert rows[13] == (
        "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame",
        "Duration", "Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
    )  # fmt: skip
    (plan,) = (p for p in plan_corpus(tiny_config) if p.database == "SAMM")
    row = rows[14]
    assert row[0] == plan.subject and row[1] == plan.name
    assert row[6] == row[5] - row[3] + 1 == plan.length


def test_finished_corpus_is_left_alone(tiny_corpus, tiny_config):
    before = {p: p.stat().st_mtime_ns for p in tiny_corpus.root.rglob("*")}
    make_corpus(tiny_corpus.root, tiny_config, progress=False)
    assert {p: p.stat().st_mtime_ns for p in tiny_corpus.root.rglob("*")} == before


def test_other_configuration_in_the_same_folder_is_refused(tiny_corpus, tiny_config):
    with pytest.raises(ElrcnError, match=r"another corpus \(seed=5\)"):
        make_corpus(tiny_corpus.root, replace(tiny_config, seed=6), progress=False)


def test_foreign_folder_is_refused_and_untouched(tmp_path, tiny_config):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ElrcnError, match="not empty"):
        make_corpus(tmp_path, tiny_config, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_broken_receipt_is_told(tmp_path, tiny_config):
    (tmp_path / "corpus.json").write_text("{")
    with pytest.raises(ElrcnError, match="receipt cannot be read"):
        make_corpus(tmp_path, tiny_config, progress=False)


def test_folder_that_cannot_be_made(tmp_path, tiny_config):
    (tmp_path / "file").write_text("")
    with pytest.raises(ElrcnError, match="cannot be written"):
        make_corpus(tmp_path / "file" / "corpus", tiny_config, progress=False)


def _script(root, config, limit=""):
    values = asdict(config)
    return (
        "from elrcn.config import CorpusConfig\n"
        "from elrcn.corpus import make_corpus\n"
        f"{limit}\n"
        f"make_corpus({str(root)!r}, CorpusConfig(**{values!r}), progress=False, workers=1)\n"
    )


def test_killed_corpus_resumes_to_the_same_bytes(tmp_path, tiny_config, tiny_digest, digest_of):
    """Same seed, same bytes: in another process, killed and resumed, with other workers."""
    root = tmp_path / "killed"
    child = subprocess.Popen([sys.executable, "-c", _script(root, tiny_config)])
    finished = root / "CASME2" / "Cropped" / "sub01"
    end = time.monotonic() + 120
    while not (finished.is_dir() and any(finished.iterdir())) and time.monotonic() < end:
        time.sleep(0.02)
    child.kill()
    child.wait()
    kept = {p: p.stat().st_mtime_ns for p in finished.rglob("*.jpg")}
    assert kept
    assert json.loads((root / "corpus.json").read_text())["done"] is False
    make_corpus(root, tiny_config, progress=False, workers=2)
    assert digest_of(root) == tiny_digest
    assert {p: p.stat().st_mtime_ns for p in kept} == kept


def test_full_disk_is_one_clear_message(tmp_path, tiny_config):
    # Files may not grow beyond 8 kB: writing fails as on a full disk.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))"
    script = _script(tmp_path / "full", tiny_config, limit)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "ElrcnError: This cannot be written" in done.stderr
    assert "free some space" in done.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 8000
    folder = tmp_path / "full" / "CASME2" / "Cropped"
    assert not folder.exists() or not any(folder.rglob("*.jpg"))


def test_frames_differ_in_noise_and_brightness_but_show_one_face(tiny_corpus):
    clip = next((tiny_corpus.casme2 / "Cropped" / "sub01").iterdir())
    a, b = (cv2.imread(str(p), 0).astype(float) for p in sorted(clip.iterdir())[:2])
    assert 0.3 < np.abs(a - b).mean() < 4
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.99


def test_readers_do_not_need_the_truth(tiny_corpus, tmp_path):
    from elrcn.databases import casme2, samm

    copy = tmp_path / "copy"
    shutil.copytree(tiny_corpus.root, copy, copy_function=os.link)
    shutil.rmtree(copy / "truth")
    for reader, root, clips in ((casme2, copy / "CASME2", 2), (samm, copy / "SAMM", 1)):
        reading = reader.load(root, progress=False)
        assert len(reading.manifest) == clips
        assert not [f for f in reading.findings if f.level == "error"]
