"""The Sphinx extension beside the book; importing it needs no build."""

import importlib.util
import subprocess
from pathlib import Path

import pytest
from elrcn_book.pages import book_pages, toc_files

from elrcn.workspace import find_workspace

ROOT = find_workspace(__file__).root


@pytest.fixture(scope="module")
def extension():
    spec = importlib.util.spec_from_file_location("elrcn_book", ROOT / "book/_ext/elrcn_book.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "template",
    [
        "https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/book/executed/{}.ipynb",
        "https://mybinder.org/v2/gh/a/b/main?urlpath=lab%2Ftree%2Fbook%2Fexecuted%2F{}.ipynb",
        "https://github.com/a/b/blob/main/book/executed/{}.ipynb",
    ],
)
def test_launch_links_lead_to_tracked_notebooks(extension, template):
    tracked = subprocess.run(
        ["git", "ls-files", "notebooks"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for page in book_pages(find_workspace(ROOT)):
        link = extension.source_link(template.format(page)).replace("%2F", "/")
        assert "notebooks/" + link.rsplit("/notebooks/", 1)[1] in tracked


def test_nested_buttons_are_rewritten_and_downloads_are_not(extension):
    local = "../../_sources/book/executed/data.ipynb"
    buttons = [
        {"type": "group", "buttons": [{"url": "https://x.org/book/executed/data.ipynb"}]},
        {"type": "link", "url": local},
    ]
    extension._rewrite(buttons)
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
def test_repository_is_found_from_the_remote(extension, remote, url):
    assert extension.repository_url(remote) == url


def test_mathematics_is_on_this_machine(extension):
    assert extension._mathjax_source().stat().st_size > 1_000_000


def test_bars_in_docstrings_are_escaped_outside_literals(extension):
    lines = ["``a | b`` and |v| : int | None", ">>> 1 | 2"]
    extension._escape_bars(None, "function", "f", None, None, lines)
    assert lines == [r"``a | b`` and \|v\| : int \| None", ">>> 1 | 2"]


def test_every_page_of_the_contents_exists():
    for name in toc_files(find_workspace(ROOT)):
        if not name.startswith("book/executed/"):
            assert (ROOT / f"{name}.md").is_file()


def test_every_module_is_on_an_api_page(extension):
    text = "".join(p.read_text() for p in Path(ROOT / "book/api").glob("*.md"))
    listed = "".join(map(extension.module_list, extension._MODULES.findall(text)))
    documented = {line.split()[-1] for line in listed.splitlines() if "automodule::" in line}
    modules = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts)
        for p in (ROOT / "elrcn").rglob("*.py")
        if not p.stem.startswith("_") and "cli" not in p.parts
    }
    assert documented == modules
