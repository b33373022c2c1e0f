"""`elrcn notebooks -p NAME VALUE`: text as typed reaches the parameter's own type."""

import sys
from pathlib import Path

import pytest

from elrcn.cli import main

sys.path.append(str(Path(__file__).parents[1] / "book"))
from small_checkout import make_workspace


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    workspace = make_workspace(tmp_path)
    monkeypatch.setenv("ELRCN_HOME", str(workspace.root))
    seen = []

    def record(workspace, page, overrides, progress=True):
        seen.append(overrides)
        return 0.0

    # Starting a kernel is tried elsewhere; here it matters what would be executed.
    monkeypatch.setattr("elrcn_book.execute.execute_page", record)

    def run(line):
        with pytest.raises(SystemExit) as end:
            main(["notebooks", "page", "--profile", "smoke", "--quiet", *line.split()])
        return end.value.code, seen, capsys.readouterr().err

    return run


def test_values_take_the_parameters_types(call):
    code, seen, err = call("-p then 3 -p seed 3 -p rate 1 -p names [b,c]")
    assert code == 0, err
    (values,) = seen
    assert values["then"] == "3" and values["seed"] == 3 and values["rate"] == 1
    assert values["names"] == ["b", "c"] and values["profile"] == "smoke"


@pytest.mark.parametrize("command", ["notebooks", "book"])
def test_what_to_install_is_told(command, monkeypatch, capsys):
    monkeypatch.setattr(
        "elrcn_book.commands.find_spec", lambda name: None if name == "zmq" else name
    )
    with pytest.raises(SystemExit) as end:
        main([command])
    err = capsys.readouterr().err
    assert end.value.code == 2 and "installed: zmq." in err and "pip install '.[book]'" in err


def test_wrong_type_is_told_and_nothing_runs(call):
    code, seen, err = call("-p seed three")
    assert code == 2 and not seen
    assert "must be int, not 'three'" in err
