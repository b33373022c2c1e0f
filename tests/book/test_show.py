"""A page writes what it shows beside itself, says what it was computed on, and has its Result."""

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

matplotlib.use("Agg")

from elrcn.errors import ElrcnError
from elrcn.manifest import Finding
from elrcn.session import Session
from elrcn.workspace import Workspace
from elrcn_book import Page, show
from elrcn_book.colophon import dress

NUMBERS = pd.DataFrame({"uar": [0.25, 1.0], "right": [True, False]}, ["a<b", "c"]).rename_axis(
    "method"
)


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setenv("ELRCN_ARTIFACTS", str(tmp_path))
    yield Page("page")
    plt.close("all")


def drawn():
    fig, ax = plt.subplots()
    ax.plot([0, 1])
    return fig


def test_a_figure_is_written_closed_and_shown_with_its_links(page, tmp_path):
    fig = drawn()
    picture = page.figure(fig, "dots", "Some\ndots.", "What one\nsees.", data=NUMBERS)
    assert not plt.fignum_exists(fig.number)
    first = (tmp_path / "page" / "dots.svg").read_bytes()
    assert b"<dc:date>" not in first
    page.figure(drawn().axes[0], "dots", "Some dots.", "What one sees.")
    assert (tmp_path / "page" / "dots.svg").read_bytes() == first
    text = picture._repr_mimebundle_()["text/markdown"]
    assert text.startswith(
        "````{figure} files/page/dots.svg\n:name: fig-page-dots\n:alt: What one sees.\n"
    )
    assert "{download}`CSV <files/page/dots.csv>` · [how it was made](#made-page)" in text
    assert pd.read_csv(tmp_path / "page" / "dots.csv")["uar"].tolist() == [0.25, 1.0]
    assert str(tmp_path) not in repr(picture) + text


def test_by_hand_a_figure_needs_no_other_file(page, monkeypatch):
    picture = page.figure(drawn(), "dots", "Some dots.", 'a "b"')
    monkeypatch.delenv("ELRCN_ARTIFACTS")
    text = picture._repr_mimebundle_()["text/html"]
    assert 'alt="a &quot;b&quot;"' in text and "data:image/svg+xml;base64," in text


def test_a_table_is_escaped_aligned_and_unrounded(page, tmp_path):
    table = NUMBERS.assign(uar=NUMBERS["uar"] / 3)
    table.attrs["note"] = "One note."
    text = page.table(table, "numbers", "**Numbers.** All.").markdown()
    assert text.startswith("**Numbers.** All. One note. ({download}`CSV")
    assert "a&lt;b" in text and "0.083" in text and ">yes<" in text and "Uar" in text
    assert 'aria-label="Numbers"' in text and 'tabindex="0"' in text
    kept = pd.read_csv(tmp_path / "page" / "numbers.csv")
    assert kept["uar"][0] == table["uar"].iloc[0] and list(kept) == ["method", "uar", "right"]
    assert text == page.table(table, "numbers", "**Numbers.** All.").markdown()


def test_a_table_to_search_needs_no_network(page):
    text = page.table(NUMBERS, "numbers", "**Numbers.**", search=True).markdown()
    assert "https://cdn" not in text and "itable-page-numbers" in text


def test_an_animation_has_a_still_for_those_who_want_no_motion(page, tmp_path):
    frames = [np.full((20, 20), 60 * k, np.uint8) for k in range(4)]
    text = page.animation(frames, "film", "A film.", "It moves.", still=2).markdown()
    assert 'media="(prefers-reduced-motion: reduce)" srcset="files/page/film-still.webp"' in text
    assert {p.name for p in (tmp_path / "page").iterdir()} == {"film.webp", "film-still.webp"}


@pytest.mark.parametrize("name", ["", "Upper", "../outside", "a b"])
def test_names_that_can_be_no_file_are_refused(page, name):
    with pytest.raises(ElrcnError, match="cannot name"):
        page.table(NUMBERS, name, "Numbers.")
    with pytest.raises(ElrcnError, match="cannot name"):
        Page(name)


def test_captions_and_alternative_texts_are_asked_for(page):
    with pytest.raises(ElrcnError, match="alternative"):
        page.figure(drawn(), "dots", "Some dots.", "  ")
    with pytest.raises(ElrcnError, match="no caption"):
        page.table(NUMBERS, "numbers", " ")


def test_captions_name_protocol_and_clips_unless_told_otherwise(smoke_home, tmp_path, monkeypatch):
    monkeypatch.setenv("ELRCN_ARTIFACTS", str(tmp_path))
    session = Session("smoke", workspace=Workspace(smoke_home), progress=False)
    page = Page("table1", session)
    p = page.plan("table1")
    end = (
        f"LOSO; {len(p.manifest)} clips of 3 subjects; synthetic dataset in the layout of CASME II."
    )
    assert page.table(NUMBERS, "a", "Numbers.").caption == f"Numbers. {end}"
    assert page.table(NUMBERS, "a", "Numbers.", source="Khor.").caption == "Numbers. Khor."


def test_remarks_on_the_data_are_shown_once(page, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(show, "display", shown.append)
    found = [Finding("remark", "a <b> `c`\n```", "x.xlsx, row 2", "SAMM/x", "no-frames")]
    page._remark(found)
    page._remark(found)
    (box,) = shown
    assert "Remarks of the loaders: 1 (1 clip without frames)." in box.markdown()
    assert "- SAMM/x: a <b> `c` ``` (x.xlsx, row 2)\n```" in box.markdown()
    assert "<li>SAMM/x: a &lt;b&gt;" in box.html()


RECORD = {
    "parameters": {"seed": 1, "casme2_root": "/secret"},
    "overrides": {"seed": 1},
    "versions": {},
    "started": "now",
    "seconds": 1.0,
    "device": "cpu",
    "library": "abc",
    "commit": "1234",
}


def test_the_result_is_lifted_above_all_code_and_folded_cells_are_named(page):
    picture = page.figure(drawn(), "key", "Key.", "Dots.")
    box = show._Result(show.Box("Result", "Found.", "result", (picture,)))
    data, metadata = box._repr_mimebundle_()
    cells = [
        new_markdown_cell("# Page"),
        new_code_cell("seed: int = 1", metadata={"tags": ["parameters"]}),
        new_code_cell(
            "page = Page()", outputs=[new_output("display_data", data, metadata=metadata)]
        ),
        new_code_cell("# the drawing\nx = 1", metadata={"tags": ["hide-input"]}),
    ]
    notebook = new_notebook(cells=cells)
    dress(notebook, "page", RECORD)
    nbformat.validate(notebook)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[:3] == ["markdown", "markdown", "code"] and "Found." in notebook.cells[1].source
    assert ":class: result" in notebook.cells[1].source
    assert "files/page/key.svg" in notebook.cells[1].source
    assert not notebook.cells[3].outputs
    assert notebook.cells[2].metadata.mystnb.code_prompt_show == "Code: Parameters"
    assert notebook.cells[4].metadata.mystnb.code_prompt_show == "Code: the drawing"
    last = notebook.cells[-1].source
    assert last.startswith("(made-page)=") and "-p seed 1" in last and "`1234`" in last
    assert "/secret" not in last and "page.receipt.json" in last
