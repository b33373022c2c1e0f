"""What the loaders remarked is printed by every command that reads the databases."""

import re
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from elrcn.cli import main
from elrcn.manifest import Finding
from elrcn.session import Session
from elrcn.workspace import Workspace, find_workspace
from elrcn_book import Page, show

sys.path.append(str(Path(__file__).parents[1] / "databases"))
from layouts import CASME2, changed, write_casme2, write_samm

HERE = find_workspace(__file__)
CLASSES = "CASME2-ObjectiveClasses.xlsx"
LINE = re.compile(r"^Remarks of the loaders.*$", re.MULTILINE)
RULE = "1 label sheet without objective classes, which the action-unit rule gives"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A workspace, and copies of both databases in which two clips of CASME II lack frames."""
    root = tmp_path_factory.mktemp("home")
    shutil.copy(HERE.root / "_toc.yml", root)
    shutil.copytree(HERE.data_manifest, root / "data_manifest")
    gone = [("26", f"EP0{i}_01", 1, 2, 30, "4", "disgust", "III") for i in (1, 2)]
    write_casme2(root / "CASME2", [*changed(CASME2, 0, apex=99), *gone])
    write_samm(root / "SAMM")
    return root


class Clips(np.ndarray):
    """Network input that is computed in no time."""

    findings = ()


def make_clips(manifest, *_, **options):
    clips = np.zeros((len(manifest), 2, 1, 4, 4), np.uint8).view(Clips)
    clips.findings = tuple(
        Finding("remark", "No face was found", row.frames[0], row.clip_id, "no-face")
        for row in manifest.table.itertuples()
        if row.database == "SAMM"
    )
    warnings.warn("No face found; the whole frame is used: ...", stacklevel=2)
    return clips


@pytest.fixture
def elrcn(home, monkeypatch, capsys):
    monkeypatch.setattr("elrcn.session.build_clips", make_clips)
    monkeypatch.setenv("ELRCN_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "no-config"))
    for name in ("ELRCN_VGGFACE", "ELRCN_CASME2", "ELRCN_SAMM"):
        monkeypatch.delenv(name, raising=False)

    def call(line):
        with pytest.raises(SystemExit) as end:
            roots = ["--casme2", str(home / "CASME2"), "--samm", str(home / "SAMM")]
            main([*line.split(), *roots, "--workers", "1", "--quiet"])
        out = capsys.readouterr()
        return end.value.code, out.out, out.err

    return call


@pytest.fixture
def without_classes(home):
    (home / "CASME2" / CLASSES).rename(home / CLASSES)
    yield
    (home / CLASSES).rename(home / "CASME2" / CLASSES)


@pytest.mark.parametrize("table", ["table2", "table1"])
def test_run_says_that_the_rule_took_the_place_of_the_class_sheet(elrcn, without_classes, table):
    code, out, err = elrcn(f"run {table} --profile smoke --device cpu --method majority")
    assert code == 0, err
    lines = LINE.findall(out)
    assert lines[0] == (
        f"Remarks of the loaders: 4 ({RULE}, 2 clips without frames, 1 apex frame outside the "
        "clip); whole: add --remarks"
    )
    assert out.index(lines[0]) < out.index("majority ")


def test_a_class_sheet_that_cannot_be_read_stops_the_run(elrcn, home):
    path = home / "CASME2" / CLASSES
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    try:
        code, out, err = elrcn("run table2 --profile smoke --device cpu --method majority")
    finally:
        path.write_bytes(whole)
    assert code == 2 and CLASSES in err and "Traceback" not in err
    assert "UAR" not in out


def test_whole_on_request(elrcn):
    line = "run table2 --profile smoke --device cpu --dry-run --no-probe"
    code, out, _ = elrcn(line)
    (short,) = LINE.findall(out)
    assert code == 0 and short.endswith("; whole: add --remarks")
    code, out, _ = elrcn(line + " --remarks")
    assert code == 0 and LINE.findall(out) == [short.removesuffix("; whole: add --remarks")]
    assert out.count("in the sheet, but without frames (CASME2-coding-20140508.xlsx, row") == 2
    assert "CASME2/sub01/EP02_01f: apex 99 lies outside 46..70; taken as unknown" in out


def test_preprocess_adds_what_it_remarks_itself(elrcn, recwarn):
    code, out, err = elrcn("preprocess --profile smoke --device cpu")
    assert code == 0, err
    assert not [w for w in recwarn if "No face" in str(w.message)]
    first, last = LINE.findall(out)
    assert first.startswith("Remarks of the loaders: 3 (2 clips without frames")
    assert last == (
        "Remarks of the loaders and of preprocessing: 6 (2 clips without frames, 1 apex frame "
        "outside the clip, 3 clips without a face, used whole); whole: add --remarks"
    )
    code, out, _ = elrcn("preprocess --profile smoke --device cpu --remarks")
    assert (
        code == 0 and "\n  SAMM/006/006_1_2: No face was found (006/006_1_2/006_05562.jpg)" in out
    )


def test_train_prints_them_before_it_starts(elrcn, home, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "clips", stop)
    code, out, _ = elrcn(f"train table1 --profile smoke --device cpu --out {home / 'model'}")
    assert code == 130
    assert LINE.findall(out)[0].startswith("Remarks of the loaders: 3 (2 clips without frames")


def test_a_page_looks_for_faces_before_its_notice(home, monkeypatch):
    folders = {"casme2_root": home / "CASME2", "samm_root": home / "SAMM"}
    session = Session("smoke", **folders, workspace=Workspace(home), progress=False)
    face = Finding("remark", "No face was found", "x", "SAMM/006/006_1_2", "no-face")
    monkeypatch.setattr("elrcn.session.find_crops", lambda *_: ([], [face]))
    assert len(session.findings) == 3
    assert session.with_faces(session.manifest)[3:] == [face]
    assert session.with_faces(session.manifest) == session.findings
    shown = []
    monkeypatch.setattr(show, "display", lambda thing, **_: shown.append(thing))
    Page("data", session).about(session.manifest)
    box = shown[-1].markdown()
    assert "Remarks of the loaders and of preprocessing: 4 (2 clips without frames" in box
    assert "- SAMM/006/006_1_2: No face was found (x)" in box


def test_check_shows_that_the_rows_add_up(elrcn):
    code, out, _ = elrcn("manifest check")
    assert code == 1
    assert "rows    7 = 5 clips used + 2 left out" in out
    assert "rows    3 = 3 clips used + 0 left out" in out
