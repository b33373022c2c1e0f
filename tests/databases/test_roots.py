import pytest

from elrcn.databases import folders as roots
from elrcn.databases.sheets import load_corrections
from elrcn.errors import ElrcnError

HEADER = "database,clip_id,field,value,reason\n"


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for variable in roots.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(roots, "config_path", lambda: tmp_path / "config.toml")
    for name in ("option", "variable", "file"):
        (tmp_path / name).mkdir()


def test_nothing_given_is_nothing_found():
    assert roots.resolve_roots() == {}


def test_option_before_variable_before_file(monkeypatch, tmp_path):
    (tmp_path / "config.toml").write_text(
        f"casme2 = '{tmp_path / 'file'}'\n[roots]\nsamm = '{tmp_path / 'file'}'\n"
    )
    assert roots.resolve_roots() == {"CASME2": tmp_path / "file", "SAMM": tmp_path / "file"}
    monkeypatch.setenv("ELRCN_CASME2", str(tmp_path / "variable"))
    assert roots.resolve_roots()["CASME2"] == tmp_path / "variable"
    assert roots.resolve_roots(tmp_path / "option")["CASME2"] == tmp_path / "option"
    assert roots.resolve_roots(samm=tmp_path / "option")["SAMM"] == tmp_path / "option"


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert roots.resolve_roots("~/option") == {"CASME2": tmp_path / "option"}


def test_a_folder_that_is_missing_says_who_named_it(monkeypatch, tmp_path):
    with pytest.raises(ElrcnError, match="CASME2 does not exist") as caught:
        roots.resolve_roots(tmp_path / "gone")
    assert "from the option" in str(caught.value)
    monkeypatch.setenv("ELRCN_SAMM", str(tmp_path / "gone"))
    with pytest.raises(ElrcnError, match="SAMM does not exist") as caught:
        roots.resolve_roots()
    assert "from the variable ELRCN_SAMM" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("casme2 = ", "cannot be read"),
        ("casme2 = 3", "casme2 is no text"),
        ("[roots]\nsamm=[]", "samm is no text"),
    ],
)
def test_a_broken_configuration_is_said(tmp_path, text, message):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ElrcnError, match=message) as caught:
        roots.resolve_roots()
    assert "config.toml" in str(caught.value)


def test_shipped_corrections_can_be_read():
    assert all(one.reason for one in load_corrections())
    assert load_corrections(False) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("a,b\n", "wrong columns"),
        (HEADER + "CASME2,CASME2/sub01/x,subject,2,why", "no field 'subject'"),
        (HEADER + "CASME2,CASME2/sub01/x,offset,2,", "gives no reason"),
        (HEADER + "CASME2,SAMM/006/x,offset,2,why", "does not begin with CASME2/"),
        (HEADER + "CASME2,CASME2/s/x,apex,2,why,more", "too many columns"),
        (HEADER + "CASME2,CASME2/s/x,apex,2,why\n" * 2, "same field as an earlier line"),
    ],
)
def test_a_correction_that_cannot_be_used_is_named(tmp_path, text, message):
    path = tmp_path / "repairs.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ElrcnError, match=message) as caught:
        load_corrections(path)
    assert "repairs.csv" in str(caught.value)
