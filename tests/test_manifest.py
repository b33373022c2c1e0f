import numpy as np
import pandas as pd
import pytest

from elrcn.errors import ElrcnError
from elrcn.manifest import (
    COLUMNS,
    Finding,
    Manifest,
    casme2_emotions,
    concat,
    is_inside,
    objective_five,
)


def row(clip, database="CASME2", **values):
    number = clip.split("/")[1]
    return {
        "clip_id": clip,
        "database": database,
        "subject": f"{database}/{number.removeprefix('sub')}",
        "frames": (f"{number}/a1.jpg", f"{number}/a2.jpg"),
        "onset": 1,
        "apex": 2,
        "offset": 2,
        "fps": 200.0,
        "action_units": "4+7",
        "emotion": "disgust",
        "objective_class": "III",
        "sha256": "0" * 64,
        **values,
    }


def manifest(*rows, **roots):
    return Manifest(pd.DataFrame(list(rows)), roots)


ROWS = (
    row("CASME2/sub01/EP01", action_units="4"),
    row("CASME2/sub02/EP01", emotion="fear", apex=pd.NA, objective_class="VII"),
    row("SAMM/006/006_1_2", database="SAMM", emotion=""),
)


def test_csv_gives_back_the_same_table(tmp_path):
    written = manifest(*ROWS, CASME2=tmp_path, SAMM=tmp_path)
    written.to_csv(tmp_path / "deep" / "m.csv")
    read = Manifest.from_csv(tmp_path / "deep" / "m.csv", written.roots)
    pd.testing.assert_frame_equal(read.table, written.table)
    assert read.hash == written.hash
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["m.csv"]


def test_paths_are_those_of_the_database(tmp_path):
    both = manifest(*ROWS, CASME2=tmp_path / "c", SAMM=tmp_path / "s")
    assert both.frame_paths(2) == [tmp_path / "s/006/a1.jpg", tmp_path / "s/006/a2.jpg"]
    with pytest.raises(ElrcnError, match="root folder of SAMM is not known"):
        manifest(*ROWS).frame_paths(2)


def test_subsets_by_mask_position_and_slice():
    whole = manifest(*ROWS)
    assert list(whole.subset(whole.table["emotion"] == "fear").table["clip_id"]) == [
        "CASME2/sub02/EP01"
    ]
    assert list(whole.subset([2, 0]).table.index) == [0, 1]
    assert whole.subset(np.array([2, 0])).table["database"].tolist() == ["SAMM", "CASME2"]
    assert len(whole.subset(slice(1, None))) == 2
    assert len(whole.subset([])) == 0


def test_tasks_choose_their_clips():
    whole = manifest(*ROWS)
    assert casme2_emotions(whole).table["clip_id"].tolist() == ["CASME2/sub01/EP01"]
    assert objective_five(whole).table["database"].tolist() == ["CASME2", "SAMM"]


def test_hash_follows_content_and_not_place():
    one = manifest(ROWS[0])
    moved = manifest({**ROWS[0], "frames": ("x/a1.jpg", "x/a2.jpg")})
    assert one.hash == moved.hash
    assert one.hash != manifest({**ROWS[0], "emotion": "others"}).hash
    assert one.hash != manifest({**ROWS[0], "sha256": "1" * 64}).hash


def test_concat_refuses_two_roots_and_doubles(tmp_path):
    a, b = manifest(ROWS[0], CASME2=tmp_path / "a"), manifest(ROWS[1], CASME2=tmp_path / "b")
    with pytest.raises(ElrcnError, match="two root folders"):
        concat([a, b])
    with pytest.raises(ElrcnError, match="clip id occurs twice"):
        concat([a, a])
    assert len(concat([manifest(ROWS[0]), manifest(ROWS[2])])) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offset": 0}, "offset comes before onset"),
        ({"apex": 9}, "apex lies outside"),
        ({"onset": -1}, "onset is negative"),
        ({"fps": 0}, "fps is not a positive"),
        ({"fps": float("nan")}, "fps is not a positive"),
        ({"objective_class": "VIII"}, "not one of I to VII"),
        ({"frames": ()}, "no frames"),
        ({"frames": ("a", "b", "c")}, "more frames than"),
        ({"frames": ("../../etc/passwd",)}, "outside the root"),
        ({"frames": ("/etc/passwd",)}, "outside the root"),
        ({"subject": "01"}, "must begin with the database"),
        ({"clip_id": ""}, "is blank"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named(change, message):
    with pytest.raises(ElrcnError, match=message) as caught:
        manifest(ROWS[2], {**ROWS[0], **change})
    assert "Row 2" in str(caught.value)


def test_missing_column_is_named():
    for column in COLUMNS:
        with pytest.raises(ElrcnError, match=f"lacks the column {column}"):
            Manifest(pd.DataFrame([ROWS[0]]).drop(columns=column))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"", "not a manifest"),
        (b"a,b\n1,2\n", "lacks the column"),
        (b"\xff\xfe\x00", "not a manifest"),
        (",".join(COLUMNS).encode() + b"\na,b,c,no json,1,1,1,1,,,I,\n", "not a manifest"),
        (",".join(COLUMNS).encode() + b'\na,b,c,"[""x""]",one,1,1,1,,,I,\n', "not a manifest"),
    ],
)
def test_a_file_that_is_no_manifest(tmp_path, content, message):
    path = tmp_path / "m.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ElrcnError, match=message) as caught:
        Manifest.from_csv(path)
    assert str(path) in str(caught.value)


def test_writing_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ElrcnError, match="cannot be written"):
        manifest(ROWS[0]).to_csv(tmp_path / "file" / "m.csv")


def test_inside():
    assert is_inside("Cropped/sub01/EP/x.jpg")
    for path in ("", "/a", "../a", "a/../../b", "a\\..\\b", "C:/x", "a\0b"):
        assert not is_inside(path)


def test_finding_reads_as_one_line():
    assert str(Finding("remark", "odd", "row 3", "A/1")) == "A/1: odd (row 3)"
    assert str(Finding("error", "odd")) == "odd"
