"""Check a built book: nothing comes from the network, nothing local is missing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself; a plain link may lead anywhere.
_LOADED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "image": ("href", "xlink:href"),
}
_FETCHING_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
_CSS_URL = re.compile(r"""(?:@import\s+|url\(\s*)["']?([^"')\s]+)""")


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.ids: set[str] = set()
        self._style = False

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.ids.update(given[k] for k in ("id", "name") if given.get(k))
        for name in _LOADED.get(tag, ()):
            if name == "srcset":
                self.loaded += [part.split()[0] for part in given.get(name, "").split(",") if part]
            elif given.get(name):
                self.loaded.append(given[name])
        if tag == "link" and _FETCHING_RELATIONS & set(given.get("rel", "").split()):
            self.loaded.append(given.get("href", ""))
        if tag == "a" and "href" in given:
            self.linked.append(given["href"])
        self.loaded += _CSS_URL.findall(given.get("style", ""))
        self._style = tag == "style"

    def handle_endtag(self, tag):
        self._style = False

    def handle_data(self, data):
        if self._style:
            self.loaded += _CSS_URL.findall(data)


def _remote(address: str) -> bool:
    return address.startswith("//") or urlsplit(address).scheme in ("http", "https", "ftp")


def problems(html: str | Path) -> list[str]:
    """Say what would fail when the book below `html` is opened from disk without a network.

    Parameters
    ----------
    html : str or Path
        Folder of the built book.

    Returns
    -------
    list of str
        ``page: what is wrong``, one for each script, style, image or frame that comes from the
        network, each missing local file and each link to a missing page or anchor.
    """
    html = Path(html).resolve()
    pages = {}
    for path in sorted(html.rglob("*.html")):
        if path.relative_to(html).parts[0] == "_static":
            continue  # templates of the theme, not pages
        parser = _Links()
        parser.feed(path.read_text(encoding="utf-8"))
        pages[path] = parser
    found = []
    for path, parser in pages.items():
        name = path.relative_to(html).as_posix()
        for address in dict.fromkeys(parser.loaded):
            if _remote(address):
                found.append(f"{name}: loads {address} from the network")
            elif reason := _missing(path, address, pages):
                found.append(f"{name}: {reason}")
        for address in dict.fromkeys(parser.linked):
            if not _remote(address) and (reason := _missing(path, address, pages)):
                found.append(f"{name}: {reason}")
    for path in sorted(html.rglob("*.css")):
        text = re.sub(
            r"/\*.*?\*/", "", path.read_text(encoding="utf-8", errors="replace"), flags=re.S
        )
        name = path.relative_to(html).as_posix()
        for address in dict.fromkeys(_CSS_URL.findall(text)):
            if _remote(address):
                found.append(f"{name}: loads {address} from the network")
    return found


def _missing(page: Path, address: str, pages: dict) -> str:
    parts = urlsplit(address)
    if parts.scheme or not (parts.path or parts.fragment):
        return ""  # data:, mailto:, javascript: and the page itself
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"{address} does not exist"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        return f"{address} has no such anchor"
    return ""
