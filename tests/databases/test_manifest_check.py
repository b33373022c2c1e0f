import pytest
from layouts import CASME2, changed, mark_synthetic, write_casme2, write_samm

from elrcn.databases import casme2, require_usable
from elrcn.databases.check import check_report, is_synthetic
from elrcn.errors import ElrcnError
from elrcn.manifest import Finding


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    base = tmp_path_factory.mktemp("both")
    return {"CASME2": write_casme2(base / "CASME2"), "SAMM": write_samm(base / "SAMM")}


def line(text, start):
    """The first line of a report that begins so, its blanks single."""
    return next(" ".join(t.split()) for t in text.splitlines() if t.strip().startswith(start))


def test_counts_stand_beside_the_published(roots):
    report = check_report(roots, progress=False)
    text = report.render_text()
    assert line(text, "emotion the five of Table I") == (
        "emotion the five of Table I 246 5 5 subjects 3 of 26 differs"
    )
    assert line(text, "objective I to V") == "objective I to V 185 4 4 subjects 3 of 26 differs"
    assert line(text, "CDE I to V") == "CDE I to V 253 - 5 subjects 4 of 47 differs"
    assert "subjects 2 of 29" in text
    assert line(text.split("SAMM\n----")[1], "objective I to V").startswith("objective I to V 68 1")
    assert "01   2   02   2   17   1" in text
    assert report.exit_code == 1
    assert text.endswith("Usable, with remarks.")


def test_synthetic_data_are_called_so_and_may_differ(tmp_path):
    root = mark_synthetic(write_casme2(tmp_path / "CASME2"))
    report = check_report({"CASME2": root}, progress=False)
    assert report.synthetic
    assert report.exit_code == 0
    assert "SYNTHETIC" in report.render_text().splitlines()[0]
    assert report.render_text().endswith("Clean.")
    assert not is_synthetic(tmp_path / "nowhere" / "CASME2")


def test_revision_is_named(roots, tmp_path):
    text = check_report({"CASME2": roots["CASME2"]}, progress=False).render_text()
    assert "sheet   CASME2-coding-20140508.xlsx, CASME2-ObjectiveClasses.xlsx" in text
    assert "the classes of MEGC 2018 and the paper" in text
    newer = write_casme2(tmp_path / "C", tenth=True, classes=None, sheet="20190701.xlsx")
    text = check_report({"CASME2": newer}, progress=False).render_text()
    assert "the 2019 revision (objective classes in a tenth column)" in text
    assert "174 clips in classes I to V, not the 185" in text
    assert "put CASME2-ObjectiveClasses.xlsx beside it" in text
    assert line(text, "objective I to V") == "objective I to V 174 4 4 differs"
    assert line(text, "emotion surprise").startswith("emotion surprise 28")
    mixed = write_casme2(tmp_path / "M", tenth=True, sheet="20190701.xlsx")
    text = check_report({"CASME2": mixed}, progress=False).render_text()
    assert casme2.MIXED in text
    assert line(text, "objective I to V").startswith("objective I to V 185")


def test_clips_in_one_place_only_are_named_both_ways(tmp_path):
    root = write_casme2(tmp_path / "CASME2", changed(CASME2, 0, filename="EP99_01"))
    text = check_report({"CASME2": root}, progress=False).render_text()
    assert "In the sheet, but without frames (1)\n  CASME2/sub01/EP99_01\n" in text
    assert "In the folders, but without a row (1)\n  Cropped/sub01/EP02_01f\n" in text


def test_disagreements_with_the_rule_are_listed_and_known_ones_explained(tmp_path):
    clips = changed(CASME2, 0, cls="V")  # 4+7 is III
    clips = changed(clips, 2, units="1+2+43", cls="II")
    root = mark_synthetic(write_casme2(tmp_path / "CASME2", clips))
    report = check_report({"CASME2": root}, progress=False)
    assert [f.what for f in report.findings] == ["4+7: class V in the sheet, III by the rule"]
    notes = " ".join(report.databases[0].notes)
    assert "leave out eye, head and jaw codes" in notes
    assert "puts 4+10 in IV" in notes


def test_a_database_that_cannot_be_read_does_not_hide_the_other(roots, tmp_path):
    report = check_report({**roots, "SAMM": tmp_path / "gone"}, progress=False)
    assert report.exit_code == 2
    assert report.databases[0].reading is not None
    assert report.combined == ()
    text = report.render_text()
    assert "The folder of SAMM does not exist." in text
    assert "emotion disgust" in text


def test_options_reach_their_database(roots):
    report = check_report({"CASME2": roots["CASME2"]}, {"CASME2": {"source": "raw"}})
    assert "no raw frames" in str(report.databases[0].failed)


def test_nothing_to_check_is_a_mistake():
    with pytest.raises(ElrcnError, match="No database was given"):
        check_report({})


def test_errors_stop_and_remarks_do_not():
    remark, error = Finding("remark", "odd"), Finding("error", "broken", "here", "CASME2/x")
    require_usable([remark])
    with pytest.raises(ElrcnError, match="1 thing in the data") as caught:
        require_usable([remark, error])
    assert "CASME2/x: broken (here)" in str(caught.value)
    assert "odd" not in str(caught.value)
    with pytest.raises(ElrcnError, match="12 things") as caught:
        require_usable([error] * 12)
    assert "and 2 more" in str(caught.value)
