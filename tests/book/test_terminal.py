"""Commands shown on a page are run in a folder of their own."""

import pytest

from elrcn.errors import ElrcnError
from elrcn.workspace import find_workspace
from elrcn_book.terminal import Terminal


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path / "desk", find_workspace(__file__))


def test_command_prints_and_shows_itself(terminal, monkeypatch):
    monkeypatch.setenv("ELRCN_CASME2", "/nowhere")
    ran = terminal.run("elrcn run table1 --profile paper --pretrained none --dry-run --no-probe")
    # The licensed folders of whoever builds the book are not read.
    assert "246 clips (synthetic dataset, not yet made)" in ran.output
    assert ran.markdown().startswith("`````text\n$ elrcn run table1")
    assert "<pre" in ran.html() and ran.code == 0
    assert list(terminal.table()["exit code"]) == [0]


def test_paths_of_the_machine_are_not_shown(terminal):
    ran = terminal.run("elrcn manifest verify my-manifest --casme2 nowhere", expect=(2,))
    assert ran.code == 2 and str(terminal.folder) not in ran.output


def test_unexpected_end_is_an_error(terminal):
    with pytest.raises(ElrcnError, match="exit code 2"):
        terminal.run("elrcn conquer")
    assert not terminal.runs


def test_only_elrcn_is_run(terminal):
    with pytest.raises(ElrcnError, match="not 'rm'"):
        terminal.run("rm -r .")


def test_copies_of_the_synthetic_databases(monkeypatch):
    monkeypatch.setenv("ELRCN_CASME2", "/nowhere")
    terminal = Terminal()
    session = terminal.unpack("smoke", workers=1)
    assert session.synthetic and set(session.given) == {"CASME2", "SAMM"}
    assert all(terminal.folder in root.parents for root in session.roots.values())
