import os
import shutil

import pandas as pd
import pytest
from layouts import (
    CASME2,
    SAMM,
    changed,
    class_rows,
    read,
    write_book,
    write_casme2,
    write_frames,
    write_samm,
)

from elrcn.databases import casme2, samm
from elrcn.databases.folders import number_of
from elrcn.errors import ElrcnError

QUIET = {"progress": False}


def labels(manifest):
    return manifest.table.drop(columns="frames")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    root = write_casme2(tmp_path_factory.mktemp("plain") / "CASME2")
    manifest, findings = read(casme2, root, **QUIET)
    assert findings == []
    return manifest


@pytest.fixture(scope="module")
def plain_samm(tmp_path_factory):
    root = write_samm(tmp_path_factory.mktemp("plain") / "SAMM")
    manifest, findings = read(samm, root, **QUIET)
    assert findings == []
    return manifest


def test_casme2_row(plain):
    assert len(plain) == 5
    row = plain.table.iloc[0]
    assert row["clip_id"] == "CASME2/sub01/EP02_01f"
    assert row["subject"] == "CASME2/01"
    assert (row["onset"], row["apex"], row["offset"], row["fps"]) == (46, 59, 70, 200.0)
    assert row["emotion"] == "disgust"
    assert row["objective_class"] == "III"
    assert row["frames"][0] == "Cropped/sub01/EP02_01f/reg_img46.jpg"
    assert len(row["sha256"]) == 64
    assert plain.table["apex"].isna().tolist() == [False, True, False, False, False]
    assert all(path.is_file() for i in range(5) for path in plain.frame_paths(i))


def test_frames_come_in_numeric_order(plain, plain_samm):
    for manifest in (plain, plain_samm):
        for row in manifest.table.itertuples():
            assert [number_of(f) for f in row.frames] == list(range(row.onset, row.offset + 1))


def test_samm_row(plain_samm):
    row = plain_samm.table.iloc[1]
    assert row["clip_id"] == "SAMM/006/006_1_3"
    assert row["subject"] == "SAMM/006"
    assert row["frames"][0] == "006/006_1_3/006_09990.jpg"
    assert row["action_units"] == "L12A"
    assert row["emotion"] == "happiness"
    assert plain_samm.table["emotion"].tolist() == ["anger", "happiness", "others"]
    assert pd.isna(plain_samm.table["apex"].iloc[2])


SHAPES = {
    "nested": {"tree": "Cropped/Cropped"},
    "updated": {"tree": "Cropped-updated/Cropped"},
    "bare": {"tree": "."},
    "lower case": {"tree": "cropped", "pattern": "REG_IMG{}.JPG"},
    "padded": {"pattern": "reg_img{:05d}.jpg"},
    "frames around": {"margin": 3},
    "xls": {"sheet": "CASME2_label_Ver_2.xls", "classes": "CASME2-ObjectiveClasses.xls"},
    "xls called xlsx": {"sheet": "x.xls", "rename": ("x.xls", "CASME2-coding-20140508.xlsx")},
    "2019": {"tenth": True, "classes": None, "sheet": "CASME2-coding-20190701.xlsx"},
    "2019 beside classes": {"tenth": True, "sheet": "CASME2-coding-20190701.xlsx"},
    "sheets below": {"sheet": "labels/coding.xlsx", "classes": "labels/classes-objective.xlsx"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_casme2_gives_the_same_manifest(tmp_path, plain, shape):
    options = dict(SHAPES[shape])
    rename = options.pop("rename", None)
    root = write_casme2(tmp_path / "CASME2", **options)
    if rename:
        (root / rename[0]).rename(root / rename[1])
    manifest, findings = read(casme2, root, **QUIET)
    pd.testing.assert_frame_equal(labels(manifest), labels(plain))
    assert [f.kind for f in findings] == ["revision"] * shape.startswith("2019")


QUIRKS = {
    "integer subjects": [(int(c[0]), *c[1:]) for c in CASME2],
    "float subjects": [(float(c[0]), *c[1:]) for c in CASME2],
    "prefixed subjects": [(f"sub{c[0]}", *c[1:]) for c in CASME2],
    "trailing blanks": [
        (c[0], c[1] + " ", *c[2:5], f"{c[5]} ", f" {c[6].title()} ", c[7]) for c in CASME2
    ],
    "upper-case names": [(c[0], c[1].upper(), *c[2:]) for c in CASME2],
    "numbers as text": [(*c[:2], str(c[2]), str(c[3]), f"{c[4]} ", *c[5:]) for c in CASME2],
    "numbers as floats": [(*c[:2], float(c[2]), c[3], float(c[4]), *c[5:]) for c in CASME2],
    "units as floats": [(*c[:5], 12.0 if c[5] == 12 else c[5], *c[6:]) for c in CASME2],
    "other order": CASME2[::-1],
    **{
        f"apex {value!r}": changed(CASME2, 1, apex=value)
        for value in ("/", " / ", -1, "-1", None, "", 0, 0.0, "0", "n/a")
    },
}


@pytest.mark.parametrize("quirk", QUIRKS)
def test_every_quirk_of_the_sheet_gives_the_same_manifest(tmp_path, plain, quirk):
    manifest, findings = read(
        casme2, write_casme2(tmp_path / "CASME2", clips=QUIRKS[quirk]), **QUIET
    )
    pd.testing.assert_frame_equal(labels(manifest), labels(plain))
    assert findings == []


@pytest.mark.parametrize(
    "options",
    [
        {"digits": 4},
        {"tree": "SAMM"},
        {"clips": [(int(c[0]), *c[1:]) for c in SAMM]},
        {"clips": [(*c[:6], c[6].lower() + " ", c[7].lower()) for c in SAMM]},
        {"clips": changed(SAMM, 2, apex=None)},
        {"sheet": "SAMM.xls"},
        {"tab": "Micro_Only "},
        {"tab": "Sheet1"},
    ],
)
def test_every_shape_of_samm_gives_the_same_manifest(tmp_path, plain_samm, options):
    manifest, findings = read(samm, write_samm(tmp_path / "SAMM", **options), **QUIET)
    pd.testing.assert_frame_equal(labels(manifest), labels(plain_samm))
    assert findings == []


def test_litter_is_passed_over(tmp_path, plain):
    root = write_casme2(tmp_path / "CASME2")
    for folder in (root, root / "Cropped", root / "Cropped/sub01", root / "Cropped/sub01/EP02_01f"):
        for name in (".DS_Store", "._reg_img50.jpg", "Thumbs.db", "desktop.ini", "DESKTOP.INI"):
            (folder / name).write_bytes(b"litter")
    (root / "~$CASME2-coding-20140508.xlsx").write_bytes(b"lock")
    shutil.copytree(root / "Cropped", root / "__MACOSX/Cropped")
    (root / "Cropped/sub01/Desktop - Shortcut.lnk").write_bytes(b"")
    manifest, findings = read(casme2, root, **QUIET)
    pd.testing.assert_frame_equal(manifest.table, plain.table)
    assert findings == []


def test_raw_and_cropped_are_told_apart(tmp_path):
    root = write_casme2(tmp_path / "CASME2")
    write_casme2(root, tree="CASME2_RAW_selected/CASME2_RAW_selected", pattern="img{}.jpg")
    cropped, _ = read(casme2, root, **QUIET)
    raw, _ = read(casme2, root, source="raw", **QUIET)
    assert cropped.table["frames"][0][0] == "Cropped/sub01/EP02_01f/reg_img46.jpg"
    assert raw.table["frames"][0][0] == (
        "CASME2_RAW_selected/CASME2_RAW_selected/sub01/EP02_01f/img46.jpg"
    )
    shutil.rmtree(root / "Cropped")
    with pytest.raises(ElrcnError, match="no cropped frames") as caught:
        read(casme2, root, **QUIET)
    assert "choose the source raw" in str(caught.value)
    with pytest.raises(ElrcnError, match="no source 'both'"):
        read(casme2, root, source="both", **QUIET)


def test_frames_tell_the_source_where_no_folder_does(tmp_path):
    root = write_casme2(tmp_path / "raw", tree="frames")
    assert len(read(casme2, root, **QUIET)[0]) == 5
    root = write_casme2(tmp_path / "x", tree="frames", pattern="img{}.jpg")
    assert len(read(casme2, root, source="raw", **QUIET)[0]) == 5
    with pytest.raises(ElrcnError, match="no cropped frames"):
        read(casme2, root, **QUIET)


def test_two_trees_are_a_question(tmp_path):
    root = write_casme2(tmp_path / "CASME2")
    write_casme2(root, tree="Cropped-updated/Cropped")
    with pytest.raises(ElrcnError, match="2 copies of the frames") as caught:
        read(casme2, root, **QUIET)
    assert "Cropped-updated/Cropped" in str(caught.value)
    manifest, _ = read(casme2, root, tree="Cropped-updated/Cropped", **QUIET)
    assert manifest.table["frames"][0][0].startswith("Cropped-updated/Cropped/")


def test_two_differing_sheets_are_a_question(tmp_path):
    root = write_casme2(tmp_path / "CASME2")
    write_casme2(root, sheet="again.xls", frames=False)  # the same rows: no question
    assert len(read(casme2, root, **QUIET)[0]) == 5
    write_casme2(root, changed(CASME2, 0, emotion="others"), sheet="v2.xlsx", frames=False)
    with pytest.raises(ElrcnError, match="label sheets of CASME II and they differ") as caught:
        read(casme2, root, **QUIET)
    assert "v2.xlsx" in str(caught.value)
    manifest, _ = read(casme2, root, root / "v2.xlsx", **QUIET)
    assert manifest.table["emotion"][0] == "others"


def test_the_older_labels_win_over_the_2019_revision_and_it_is_said(tmp_path):
    root = write_casme2(tmp_path / "CASME2")
    newer = changed(CASME2, 0, emotion="others", cls="VII")
    write_casme2(root, newer, sheet="coding-20190701.xlsx", tenth=True, classes=None, frames=False)
    manifest, findings = read(casme2, root, **QUIET)
    assert manifest.table["emotion"][0] == "disgust"
    assert ["coding-20190701.xlsx holds the 2019 revision" in f.what for f in findings] == [True]


def test_classes_of_their_own_sheet_overrule_the_tenth_column(tmp_path):
    root = write_casme2(tmp_path / "CASME2", changed(CASME2, 0, cls="V"), tenth=True, classes=None)
    write_book(root / "CASME2-ObjectiveClasses.xlsx", {"Sheet1": class_rows(CASME2)})
    reading = casme2.load(root, **QUIET)
    assert reading.manifest.table["objective_class"][0] == "III"
    assert reading.revision == casme2.MIXED


def test_the_rule_gives_classes_where_no_sheet_does(tmp_path):
    manifest, findings = read(casme2, write_casme2(tmp_path / "CASME2", classes=None), **QUIET)
    assert manifest.table["objective_class"].tolist() == ["III", "I", "II", "VII", "VII"]
    assert ["action-unit rule gives them all" in f.what for f in findings] == [True]


def test_class_sheet_named_by_option(tmp_path):
    root = write_casme2(tmp_path / "CASME2", classes=None)
    path = write_book(tmp_path / "c.xlsx", {"x": class_rows(changed(CASME2, 0, cls="V"))})
    manifest, _ = read(casme2, root, objective_sheet=path, **QUIET)
    assert manifest.table["objective_class"][0] == "V"
    with pytest.raises(ElrcnError, match="no objective classes in this sheet"):
        read(casme2, root, objective_sheet=root / "CASME2-coding-20140508.xlsx", **QUIET)


def test_corrections_are_listed_and_can_be_turned_off(tmp_path):
    root = write_casme2(tmp_path / "CASME2", changed(CASME2, 0, offset=0))
    repairs = tmp_path / "repairs.csv"
    repairs.write_text(
        "database,clip_id,field,value,reason\n"
        "CASME2,CASME2/sub01/EP02_01f,offset,70,seen in the frames\n"
        "CASME2,CASME2/sub17/EP05_09,offset,33,already so in this copy\n"
        "SAMM,SAMM/006/006_1_2,offset,5,another database\n"
    )
    manifest, findings = read(casme2, root, corrections=repairs, **QUIET)
    assert manifest.table["offset"][0] == 70
    assert [(f.level, f.what, f.clip) for f in findings] == [
        (
            "remark",
            "offset corrected from '0' to '70': seen in the frames",
            "CASME2/sub01/EP02_01f",
        )
    ]
    manifest, findings = read(casme2, root, corrections=False, **QUIET)
    assert len(manifest) == 4
    said = " ".join(f.what for f in findings)
    assert "offset is 0" in said
    assert "the folder holds frames 46..70" in said


def test_links_within_the_root_are_followed_and_no_other(tmp_path, plain):
    root = write_casme2(tmp_path / "CASME2")
    moved = root / "store"
    shutil.move(root / "Cropped/sub17", moved)
    (root / "Cropped/sub17").symlink_to(moved)
    manifest, findings = read(casme2, root, **QUIET)
    assert len(manifest) == 5
    outside = tmp_path / "elsewhere"
    shutil.move(moved, outside)
    (root / "Cropped/sub17").unlink()
    (root / "Cropped/sub17").symlink_to(outside)
    manifest, findings = read(casme2, root, **QUIET)
    assert len(manifest) == 4
    assert ("error", "the link sub17 leads out of the root") in [
        (f.level, f.what) for f in findings
    ]


@pytest.mark.parametrize(
    "name", ["../../etc", "..", ".", "/etc", "C:\\x", "..\\x", "a/b", "~root", "/tmp/outside"]
)
@pytest.mark.parametrize("database", ["CASME2", "SAMM"])
def test_filename_reads_nothing_outside_the_root(tmp_path, monkeypatch, database, name):
    secret = tmp_path / "etc"
    write_frames(secret, 46, 70)
    write_frames(tmp_path / "outside", 46, 70)
    if database == "CASME2":
        root, loader = write_casme2(tmp_path / "a/b/C", changed(CASME2, 0, filename=name)), casme2
    else:
        root, loader = write_samm(tmp_path / "a/b/S", changed(SAMM, 0, filename=name)), samm
    opened = []
    scandir, folder = os.scandir, str(root.resolve())
    monkeypatch.setattr(os, "scandir", lambda path=".": opened.append(str(path)) or scandir(path))
    manifest, findings = read(loader, root, **QUIET)
    assert all(path.startswith(folder) for path in opened)
    row = 2 if database == "CASME2" else 15
    named = [f for f in findings if f.level == "error" and f.where.endswith(f"row {row}")]
    assert named
    assert repr(name) in named[0].what
    assert all(
        path.resolve().is_relative_to(root.resolve())
        for i in range(len(manifest))
        for path in manifest.frame_paths(i)
    )


def test_same_hash_under_another_tree_and_another_hash_for_other_bytes(tmp_path, plain):
    root = write_casme2(tmp_path / "CASME2", pattern="reg_img{:03d}.jpg")
    (root / "Cropped/sub01/EP02_01f/reg_img050.jpg").write_bytes(
        (root / "Cropped/sub01/EP02_01f/reg_img051.jpg").read_bytes()
    )
    manifest, _ = read(casme2, root, **QUIET)
    same = (manifest.table["sha256"] == plain.table["sha256"]).tolist()
    assert same == [False, True, True, True, True]
    assert manifest.hash != plain.hash
