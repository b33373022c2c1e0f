import json

import frictionless
import pandas as pd
import pytest
from layouts import jpeg, read, write_casme2, write_samm

from elrcn.databases import casme2, samm
from elrcn.databases.check import load_schema, read_datapackage, verify, write_datapackage
from elrcn.errors import ElrcnError
from elrcn.manifest import COLUMNS, Manifest, concat


@pytest.fixture
def manifest(tmp_path):
    return concat(
        [
            read(casme2, write_casme2(tmp_path / "CASME2"), progress=False)[0],
            read(samm, write_samm(tmp_path / "SAMM"), progress=False)[0],
        ]
    )


def test_schema_describes_every_column_in_order():
    assert tuple(f["name"] for f in load_schema()["fields"]) == COLUMNS
    assert frictionless.Schema.from_descriptor(load_schema())


def test_package_is_valid_for_any_frictionless_tool(tmp_path, manifest):
    path = write_datapackage(manifest, tmp_path / "out")
    assert sorted(p.name for p in path.parent.iterdir()) == ["datapackage.json", "manifest.csv"]
    assert frictionless.validate(str(path)).valid
    again = read_datapackage(path.parent, manifest.roots)
    assert again.hash == manifest.hash
    first = path.read_bytes()
    write_datapackage(manifest, tmp_path / "out")
    assert path.read_bytes() == first


def test_a_row_that_does_not_fit_is_named_and_nothing_is_written(tmp_path, manifest):
    table = manifest.table.copy()
    table.loc[2, "emotion"] = "joy"
    with pytest.raises(ElrcnError, match=r"row 3 \(CASME2/.*\): emotion 'joy' is none of happ"):
        write_datapackage(Manifest(table, manifest.roots), tmp_path / "out")
    table = manifest.table.assign(sha256="abc")
    with pytest.raises(ElrcnError, match=r"sha256 'abc' .*and 7 more"):
        write_datapackage(Manifest(table, manifest.roots), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("clip_id", "CASME2/01/EP02_01f", r"clip_id 'CASME2/01/EP02_01f' does not look like \("),
        ("subject", "CASME2/1", "subject 'CASME2/1' does not look like"),
        ("frames", ("a.jpg",), "frames .* holds fewer than 2"),
        ("onset", 0, "onset '0' is less than 1"),
        ("fps", 0.5, "fps '0.5' is less than 1"),
        ("emotion", "joy", "emotion 'joy' is none of"),
        ("sha256", "", "sha256 '' is blank"),
        ("sha256", "A" * 64, "sha256 'A.*' does not look like"),
    ],
)
def test_what_breaks_the_schema_is_what_frictionless_finds(
    tmp_path, manifest, column, value, message
):
    schema = load_schema()
    rows = manifest.table.to_dict("records")
    rows[0][column] = value
    wrong = Manifest(pd.DataFrame(rows), manifest.roots)
    with pytest.raises(ElrcnError, match=message) as caught:
        write_datapackage(wrong, tmp_path / "out")
    assert "row 1 (" in str(caught.value) and "more)" not in str(caught.value)
    found = []
    for held, name in ((manifest, "good.csv"), (wrong, "wrong.csv")):
        held.to_csv(tmp_path / name)
        resource = frictionless.Resource(
            path=name, basepath=str(tmp_path), schema=frictionless.Schema.from_descriptor(schema)
        )
        found.append(resource.validate().flatten(["rowNumber", "fieldName"]))
    assert found == [[], [[2, column]]]


def test_a_doctored_package_is_refused(tmp_path, manifest):
    path = write_datapackage(manifest, tmp_path / "out")
    table = path.parent / "manifest.csv"
    table.write_text(table.read_text().replace("disgust", "others"))
    with pytest.raises(ElrcnError, match="does not fit"):
        read_datapackage(path.parent)
    table.unlink()
    with pytest.raises(ElrcnError, match="cannot be read"):
        read_datapackage(path.parent)
    for text in (json.dumps({"resources": 3}), '{"resources": [{}]}', "[]", "{", "\0"):
        path.write_text(text)
        with pytest.raises(ElrcnError, match="no data package"):
            read_datapackage(path.parent)
    path.write_bytes(b"\xff")
    with pytest.raises(ElrcnError, match="no data package"):
        read_datapackage(path.parent)
    with pytest.raises(ElrcnError, match="no data package"):
        read_datapackage(tmp_path / "none")


def test_a_folder_that_cannot_be_written_is_said(tmp_path, manifest):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ElrcnError, match="cannot be written"):
        write_datapackage(manifest, tmp_path / "out")


def test_verify_tells_what_changed(tmp_path, manifest):
    assert verify(manifest, progress=False) == []
    clip = tmp_path / "CASME2/Cropped/sub01/EP02_01f"
    (clip / "reg_img50.jpg").write_bytes(jpeg(1))
    (clip / ".DS_Store").write_bytes(b"")
    (clip / "reg_img99.jpg").write_bytes(jpeg(1))  # beyond the offset: none of the clip's
    (tmp_path / "CASME2/Cropped/sub17/EP05_09/reg_img09.jpg").write_bytes(jpeg(1))
    (tmp_path / "SAMM/006/006_1_2/006_05570.jpg").unlink()
    (tmp_path / "SAMM/011/011_2_1/011_00311.jpg").write_bytes(b"")
    assert [(c.clip, c.kind) for c in verify(manifest, progress=False)] == [
        ("CASME2/sub01/EP02_01f", "changed"),
        ("CASME2/sub17/EP05_09", "extra"),
        ("SAMM/006/006_1_2", "missing"),
        ("SAMM/011/011_2_1", "changed"),
    ]
    said = [str(change) for change in verify(manifest, progress=False)]
    assert said[1] == "CASME2/sub17/EP05_09: extra: reg_img09.jpg"
    assert said[2].endswith("missing: 006/006_1_2/006_05570.jpg")
    assert said[3].endswith("011_00311.jpg: the file is empty")


def test_verify_looks_below_the_roots_given(tmp_path, manifest):
    (tmp_path / "SAMM").rename(tmp_path / "moved")
    with pytest.raises(ElrcnError, match="SAMM does not exist"):
        verify(manifest, progress=False)
    assert verify(manifest, {"SAMM": tmp_path / "moved"}, progress=False) == []
    with pytest.raises(ElrcnError, match="root folder of CASME2 is not known"):
        verify(Manifest(manifest.table), progress=False)


def test_a_frame_replaced_by_a_link_outwards_is_missing(tmp_path, manifest):
    frame = tmp_path / "SAMM/006/006_1_2/006_05570.jpg"
    secret = tmp_path / "secret.jpg"
    frame.rename(secret)
    frame.symlink_to(secret)
    assert [(c.clip, c.kind) for c in verify(manifest, progress=False)] == [
        ("SAMM/006/006_1_2", "missing")
    ]


def test_blank_apex_survives(tmp_path, manifest):
    path = write_datapackage(manifest, tmp_path / "out")
    rows = pd.read_csv(path.parent / "manifest.csv", dtype=str, keep_default_na=False)
    assert (rows["apex"] == "").sum() == 2
