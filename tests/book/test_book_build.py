"""A small book, really built."""

import shutil

import pytest
from small_checkout import make_workspace

from elrcn.errors import ElrcnError
from elrcn.workspace import find_workspace
from elrcn_book import receipts
from elrcn_book.build import build_book

ROOT = find_workspace(__file__).root


@pytest.mark.slow
def test_book_is_built_once_and_a_bad_one_never_replaces_it(tmp_path, monkeypatch):
    workspace = make_workspace(tmp_path / "checkout")
    for name in ("_config.yml", "book/_static", "book/references.bib"):
        target = workspace.root / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    (workspace.root / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    page = workspace.root / "book" / "index.md"
    page.write_text("# Small\n\n$a^2$ {cite:p}`khor2018`\n\n```{bibliography}\n```\n")

    index = build_book(workspace, progress=False)
    html = index.parent
    assert "Small" in (html / "book" / "index.html").read_text()
    assert (html / "_static" / "mathjax" / "tex-svg.js").is_file()
    assert "cdn" not in (html / "book" / "index.html").read_text()
    made = (html / "book" / "index.html").stat().st_mtime_ns
    assert build_book(workspace, progress=False) == index
    assert (html / "book" / "index.html").stat().st_mtime_ns == made

    built = html / "book" / "index.html"
    built.write_text(built.read_text().replace("Small", "Great"))
    with pytest.warns(UserWarning, match="changed by hand .book/index.html"):
        build_book(workspace, progress=False)
    assert "Great" not in built.read_text()

    monkeypatch.setattr(receipts, "mixture", lambda workspace: "profile smoke: <table1>")
    with pytest.raises(ElrcnError, match="do not belong together"):
        build_book(workspace, progress=False)
    build_book(workspace, progress=False, mixed=True)
    assert "profile smoke: &lt;table1&gt;" in built.read_text()
    monkeypatch.undo()

    page.write_text("# Smaller\n\n{ref}`nowhere`\n")
    for _ in range(2):  # a second attempt must not be taken for a good build
        with pytest.raises(ElrcnError, match="nowhere"):
            build_book(workspace, progress=False)
    assert "Small<" in (html / "book" / "index.html").read_text()

    page.write_text('# Smaller\n\n```{raw} html\n<a href="files/absent.csv">x</a>\n```\n')
    with pytest.raises(ElrcnError, match=r"absent\.csv does not exist"):
        build_book(workspace, progress=False)
    assert build_book(workspace, strict=False, progress=False) == index
    assert "Smaller<" in (html / "book" / "index.html").read_text()
