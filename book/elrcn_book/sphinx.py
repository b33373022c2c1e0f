"""What Jupyter Book lacks: local mathematics, launch links that exist, files beside pages."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from html import escape
from pathlib import Path

from sphinx.errors import ExtensionError

#: Runs after the theme has made its buttons.
_AFTER_THEME = 900
_EXECUTED = re.compile(r"book(/|%2F)executed(/|%2F)")
# sphinx-thebe, which Jupyter Book always loads, warns about any other host.
_REMOTE = re.compile(
    r"^(?:https://|git@|ssh://git@)github\.com[:/](?P<path>[^/\s]+/[^/\s]+?)(?:\.git)?/?$"
)
# A line of an API page: "% modules elrcn.preprocess".
_MODULES = re.compile(r"^% modules (\S+)$", re.MULTILINE)
# What fails when a page is opened from disk: fonts preloaded across origins (the style sheet loads
# them all the same) and the two copies of thebe's configuration, which is off.
_FAILS_OFFLINE = re.compile(
    r"""<link\ rel="preload"\ as="font"[^>]*>\n?
    |<script>const\ THEBE_JS_URL.*?</script>
    |<script\ type="text/x-thebe-config">.*?</script>
    |<script>kernelName\ =.*?</script>
    |<script[^>]*sphinx-thebe\.js[^>]*></script>""",
    re.DOTALL | re.VERBOSE,
)


def repository_url(remote: str) -> str:
    """Return the web address of a GitHub remote; empty for any other."""
    match = _REMOTE.match(remote.strip())
    return f"https://github.com/{match['path']}" if match else ""


def source_link(url: str) -> str:
    """Point a link to an executed page, which git ignores, at the notebook it was made from.

    >>> source_link("https://x.org/lab/tree/book/executed/table1.ipynb")
    'https://x.org/lab/tree/notebooks/table1.ipynb'

    A link without a host is the page's own source, beside the page, and stays.
    """
    if not url.startswith(("https://", "http://")):
        return url
    return _EXECUTED.sub(lambda m: f"notebooks{m[2]}", url)


def _rewrite(buttons) -> None:
    for button in buttons if isinstance(buttons, list) else []:
        if isinstance(button.get("url"), str):
            button["url"] = source_link(button["url"])
        _rewrite(button.get("buttons"))


def _rewrite_launch_links(app, pagename, templatename, context, doctree):
    _rewrite(context.get("header_buttons"))


def _find_repository(app, config):
    try:
        found = subprocess.run(
            ["git", "-C", str(app.srcdir), "remote", "get-url", "origin"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return
    url = repository_url(found.stdout)
    if url:
        config.html_theme_options["repository_url"] = url


def _mathjax_source() -> Path:
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None:
        raise ExtensionError("sphinx-mathjax-offline is not installed: mathematics needs it")
    return Path(spec.origin).parent / "static" / "mathjax" / "tex-svg.js"


def _copy_files(app, exception):
    if exception is not None:
        return
    target = Path(app.outdir) / "_static" / "mathjax"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(_mathjax_source(), target)
    # Pages link and show tables and figures from HTML that Sphinx does not look into.
    artifacts = Path(app.srcdir) / "book" / "executed" / "files"
    if artifacts.is_dir():
        shutil.copytree(
            artifacts, Path(app.outdir) / "book" / "executed" / "files", dirs_exist_ok=True
        )


def _clean_pages(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        if "_static" not in path.parts:
            text = path.read_text(encoding="utf-8")
            path.write_text(_FAILS_OFFLINE.sub("", text), encoding="utf-8")


def module_list(name: str) -> str:
    """Return MyST that documents the module `name`, or each public module of the package `name`."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ExtensionError(f"there is no module called {name}")
    names = [name]
    if spec.submodule_search_locations:
        (folder,) = spec.submodule_search_locations
        stems = sorted(p.stem for p in Path(folder).glob("*.py"))
        names = [f"{name}.{stem}" for stem in stems if not stem.startswith("_")]
    return "\n".join(
        f"### `{n}`\n\n```{{eval-rst}}\n.. automodule:: {n}\n   :members:\n```\n" for n in names
    )


def _expand_module_lists(app, docname, source):
    # A new module is on its page without anybody having to think of it.
    source[0] = _MODULES.sub(lambda m: module_list(m[1]), source[0])


def _escape_bars(app, what, name, obj, options, lines):
    # In docstrings |v| is an absolute value and `int | None` a type; to docutils a bar begins a
    # substitution.
    for i, line in enumerate(lines):
        if "|" in line and not line.lstrip().startswith((">>>", "...")):
            parts = line.split("``")
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            lines[i] = "``".join(parts)


def _skip_member(app, what, name, obj, skip, options):
    # scikit-learn adds set_fit_request and the like to every estimator.
    return True if re.fullmatch(r"set_\w+_request", name) else None


def _say_mixture(app, config):
    mixture = os.environ.get("ELRCN_BOOK_MIXTURE", "")
    if mixture:
        note = f"This book mixes profiles or data that cannot be compared. {escape(mixture)}."
        config.html_theme_options = {**config.html_theme_options, "announcement": note}


def setup(app):
    """Connect the hooks."""
    app.config.mathjax_path = "mathjax/tex-svg.js"
    app.connect("config-inited", _find_repository, priority=100)
    app.connect("config-inited", _say_mixture, priority=200)
    app.connect("source-read", _expand_module_lists)
    app.connect("autodoc-process-docstring", _escape_bars, priority=_AFTER_THEME)
    app.connect("autodoc-skip-member", _skip_member)
    app.connect("html-page-context", _rewrite_launch_links, priority=_AFTER_THEME)
    app.connect("build-finished", _copy_files)
    app.connect("build-finished", _clean_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
