"""The examples of CONTRIBUTING.md run as they stand, on the smoke profile or smaller."""

import re
import shutil
import sys
import types

import pytest

from elrcn.databases import check
from elrcn.errors import ElrcnError
from elrcn.experiments import Method, plan, run, stored_folds
from elrcn.features.base import MajorityClassifier
from elrcn.session import Session
from elrcn.workspace import Workspace, find_workspace
from elrcn_book.execute import execute_page
from elrcn_book.pages import book_pages
from tests import test_notebooks, test_notebooks_run

ROOT = find_workspace(__file__).root


def blocks(heading):
    """Python blocks below a heading of CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```", section, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def example(smoke_home, tmp_path, monkeypatch):
    """Run the blocks of a heading one after another, as cells of a notebook; give their names."""
    monkeypatch.setenv("ELRCN_HOME", str(smoke_home))
    monkeypatch.chdir(tmp_path)

    def call(heading):
        # A module of its own, so that classes have a place and pickle by value to other processes.
        module = types.ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", module)
        for block in blocks(heading):
            exec(compile(block, heading, "exec"), module.__dict__)
        return module

    return call


def test_a_method_is_a_row_of_table_one(example):
    here = example("A method")
    assert list(here.results) == ["majority", "mine"] == list(here.scores)
    assert [m.label for m in here.table1.methods][-1] == "My idea"
    assert set(here.results["mine"]["seed"]) == {0}
    (mine,) = here.table1.chosen(["mine"])
    assert len(stored_folds(here.table1, mine, here.session)) == len(here.table1.folds)


def test_a_stored_row_is_of_these_parameters_and_of_this_code(example):
    here = example("A method")
    session, name = here.session, here.mine.name

    def stored(estimator, settings):
        p = plan("table1", session, extra=[Method(name, "My idea", estimator, settings)])
        return len(stored_folds(p, p.methods[-1], session))

    class SpeedOfQuarters(here.SpeedOfQuarters):
        def describe(self, X):
            return super().describe(X) ** 2

    assert stored(here.SpeedOfQuarters, {"C": 10.0}) == len(here.table1.folds)
    assert stored(here.SpeedOfQuarters, {"C": 9.0}) == stored(SpeedOfQuarters, {"C": 10.0}) == 0


def test_a_row_runs_in_processes_of_its_own(example):
    here = example("A method")
    session = Session("smoke", workers=2, seed=1, progress=False)
    rows = run("table1", session, ["mine"], extra=[here.mine])["mine"]
    assert len(rows) == len(here.table1.manifest)


@pytest.mark.parametrize(
    "row, message",
    [
        (Method("majority", "Mine", MajorityClassifier), "two methods of one name"),
        (Method("mine", "ELRCN-SE", MajorityClassifier), "two methods of one name"),
        (Method("my/idea", "Mine", MajorityClassifier), "cannot be named 'my/idea'"),
        (MajorityClassifier(), "is no method"),
    ],
)
def test_rows_that_are_refused(smoke_home, row, message):
    session = Session("smoke", workspace=Workspace(smoke_home), progress=False)
    with pytest.raises(ElrcnError, match=message):
        run("table1", session, extra=[row])


def test_an_estimator_without_probabilities_and_an_unknown_row_are_told_first(smoke_home):
    from sklearn.svm import LinearSVC

    session = Session("smoke", workspace=Workspace(smoke_home), progress=False)
    rows = [Method("mine", "My idea", LinearSVC)]
    with pytest.raises(ElrcnError, match="'mine' has no predict_proba"):
        run("table1", session, extra=rows)
    with pytest.raises(ElrcnError, match="no method 'other'"):
        run("table1", session, ["other"], extra=rows)
    with pytest.raises(ElrcnError, match="A plan has its seeds and rows"):
        run(plan("table1", session), session, extra=rows)


def test_a_database_is_a_loader(example, monkeypatch):
    monkeypatch.setitem(check.LOADERS, "LAB", None)  # so that it is gone afterwards
    here = example("A database")
    assert set(here.session.manifest.table["objective_class"]) == {"I", "II"}
    assert list(here.results) == ["majority", "flow_sums"]
    assert all(len(rows) == 6 and rows["fold"].nunique() == 3 for rows in here.results.values())


def test_a_protocol_is_a_splitter_and_a_task(example):
    here = example("A protocol")
    assert list(here.results) == list(here.uar) == ["majority", "flow_sums"]
    assert set(here.results["majority"]["fold"]) == {"first half", "second half"}


@pytest.fixture
def page(example, smoke_home, tmp_path, monkeypatch):
    """A checkout's shell with the page of the example."""
    shutil.copy(ROOT / "_toc.yml", tmp_path)
    shutil.copytree(ROOT / "data_manifest", tmp_path / "data_manifest")
    (tmp_path / "data").symlink_to(smoke_home / "data")
    monkeypatch.setenv("ELRCN_HOME", str(tmp_path))
    example("A page")
    return Workspace(tmp_path)


def test_a_page_is_a_notebook_and_a_line(page):
    assert book_pages(page).index("simple_rivals") == book_pages(page).index("statistics") + 1
    path = page.notebooks / "simple_rivals.ipynb"
    test_notebooks.test_no_outputs(path)
    test_notebooks.test_parameters_are_typed_explained_and_seen_by_papermill(path)
    test_notebooks.test_notebook_holds_no_path_of_a_machine(path)
    test_notebooks.test_a_page_that_shows_clips_says_what_was_remarked_on_them(path)
    test_notebooks_run.test_no_score_is_typed_by_hand(path)
    test_notebooks_run.test_starts_with_a_heading_and_names_its_kernel(path)


@pytest.mark.slow
def test_a_page_is_executed(page):
    execute_page(page, "simple_rivals", {"profile": "smoke"}, progress=False)
    assert (page.artifacts / "simple_rivals" / "scores.csv").is_file()
