import pytest
from small_checkout import write_notebook

from elrcn.errors import ElrcnError
from elrcn_book.parameters import (
    all_parameters,
    checked_value,
    notebook_parameters,
    resolve_parameters,
)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "page.ipynb"
    write_notebook(path)
    return path


def test_defaults_types_and_help_are_read(source):
    found = notebook_parameters(source)
    assert list(found) == ["profile", "seed", "rate", "names", "then"]
    assert (found["seed"].type, found["seed"].default) == ("int", 7)
    assert found["names"].default == ["a"]
    assert found["rate"].help == "learning rate"


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("seed", 3, 3),
        ("seed", "3", 3),
        ("rate", 1, 1),
        ("rate", "1.5", 1.5),
        ("then", "3", "3"),
        ("names", "[x, y]", ["x", "y"]),
        ("profile", "demo", "demo"),
    ],
)
def test_fitting_values_are_converted(source, name, given, taken):
    value = checked_value("page", notebook_parameters(source)[name], given)
    assert value == taken and type(value) is type(taken)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("seed", 1.5),
        ("seed", True),
        ("seed", "many"),
        ("seed", None),
        ("rate", "fast"),
        ("rate", True),
        ("then", 3),
        ("names", "x"),
        ("names", [1]),
        ("profile", "huge"),
    ],
)
def test_values_of_another_type_are_refused(source, name, given):
    with pytest.raises(ElrcnError):
        checked_value("page", notebook_parameters(source)[name], given)


def test_an_override_goes_to_every_notebook_that_has_it(tmp_path, source):
    other = tmp_path / "other.ipynb"
    write_notebook(other, parameters="seed: int = 1  # seed")
    sources = {"page": source, "other": other}
    assert resolve_parameters(sources, {"seed": 2, "rate": 0.1}) == {
        "page": {"seed": 2, "rate": 0.1},
        "other": {"seed": 2},
    }
    with pytest.raises(ElrcnError, match="'epochs'"):
        resolve_parameters(sources, {"epochs": 2})


def test_all_parameters_are_defaults_and_overrides(source):
    assert all_parameters(source, {"seed": 2})["seed"] == 2
    assert all_parameters(source, {})["then"] == ""


def test_a_file_that_is_no_notebook_is_refused(tmp_path):
    path = tmp_path / "page.ipynb"
    path.write_text("{")
    with pytest.raises(ElrcnError, match="cannot be read"):
        notebook_parameters(path)
    with pytest.raises(ElrcnError, match="cannot be read"):
        notebook_parameters(tmp_path / "absent.ipynb")
