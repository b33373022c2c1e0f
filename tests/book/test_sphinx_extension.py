"""The Sphinx extension beside the book; importing it needs no build."""

import subprocess
from pathlib import Path

import pytest

from elrcn.workspace import find_workspace
from elrcn_book import sphinx
from elrcn_book.pages import book_pages, toc_files

ROOT = find_workspace(__file__).root


@pytest.mark.parametrize(
    "template",
    [
        "https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/book/executed/{}.ipynb",
        "https://mybinder.org/v2/gh/a/b/main?urlpath=lab%2Ftree%2Fbook%2Fexecuted%2F{}.ipynb",
        "https://github.com/a/b/blob/main/book/executed/{}.ipynb",
    ],
)
def test_launch_links_lead_to_tracked_notebooks(template):
    tracked = subprocess.run(
        ["git", "ls-files", "notebooks"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for page in book_pages(find_workspace(ROOT)):
        link = sphinx.source_link(template.format(page)).replace("%2F", "/")
        assert "notebooks/" + link.rsplit("/notebooks/", 1)[1] in tracked


def test_nested_buttons_are_rewritten_and_downloads_are_not():
    local = "../../_sources/book/executed/data.ipynb"
    buttons = [
        {"type": "group", "buttons": [{"url": "https://x.org/book/executed/data.ipynb"}]},
        {"type": "link", "url": local},
    ]
    sphinx._rewrite(buttons)
    assert buttons[0]["buttons"][0]["url"] == "https://x.org/notebooks/data.ipynb"
    assert buttons[1]["url"] == local


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://github.com/a/b.git\n", "https://github.com/a/b"),
        ("git@github.com:a/b.git", "https://github.com/a/b"),
        ("ssh://git@github.com/a/b", "https://github.com/a/b"),
        ("https://user:secret@github.com/a/b.git", ""),
        ("https://example.org/a/b.git", ""),
        ("/somewhere/bare.git", ""),
        ("", ""),
    ],
)
def test_repository_is_found_from_the_remote(remote, url):
    assert sphinx.repository_url(remote) == url


def test_mathematics_is_on_this_machine():
    assert sphinx._mathjax_source().stat().st_size > 1_000_000


def test_bars_in_docstrings_are_escaped_outside_literals():
    lines = ["``a | b`` and |v| : int | None", ">>> 1 | 2"]
    sphinx._escape_bars(None, "function", "f", None, None, lines)
    assert lines == [r"``a | b`` and \|v\| : int \| None", ">>> 1 | 2"]


def test_every_page_of_the_contents_exists():
    for name in toc_files(find_workspace(ROOT)):
        if not name.startswith("book/executed/"):
            assert (ROOT / f"{name}.md").is_file()


def test_every_module_is_on_an_api_page():
    text = "".join(p.read_text() for p in Path(ROOT / "book/api").glob("*.md"))
    listed = "".join(map(sphinx.module_list, sphinx._MODULES.findall(text)))
    documented = {line.split()[-1] for line in listed.splitlines() if "automodule::" in line}
    modules = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts)
        for p in (ROOT / "elrcn").rglob("*.py")
        if not p.stem.startswith("_") and "cli" not in p.parts
    }
    modules |= {f"elrcn_book.{p.stem}" for p in (ROOT / "book/elrcn_book").glob("[!_]*.py")}
    assert documented == modules
