import pytest

from elrcn_book.offline import problems

GOOD = """<html><head><link rel="stylesheet" href="style.css?v=1"></head>
<body id="top"><img src="a%20b.svg"><a href="other.html#there">x</a><a href="#top">y</a>
<a href="https://example.org/">outside</a><img src="data:image/png;base64,AAAA"></body></html>"""


@pytest.fixture
def html(tmp_path):
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "other.html").write_text('<h1 id="there">There</h1>')
    (tmp_path / "style.css").write_text("/* url(https://x.org/no) */ body { color: red }")
    (tmp_path / "a b.svg").write_text("<svg/>")
    return tmp_path


def test_a_self_contained_page_has_no_problems(html):
    assert problems(html) == []


@pytest.mark.parametrize(
    ("element", "problem"),
    [
        ('<script src="https://cdn.example.org/x.js"></script>', "from the network"),
        ('<script src="//cdn.example.org/x.js"></script>', "from the network"),
        ('<link rel="preload stylesheet" href="http://example.org/x.css">', "from the network"),
        ('<img srcset="https://example.org/x.png 2x">', "from the network"),
        ('<p style="background: url(https://example.org/x.png)">', "from the network"),
        ("<style>@import 'https://example.org/x.css';</style>", "from the network"),
        ('<img src="absent.svg">', "absent.svg does not exist"),
        ('<a href="files/absent.csv">', "files/absent.csv does not exist"),
        ('<a href="other.html#here">', "other.html#here has no such anchor"),
    ],
)
def test_each_kind_of_problem_is_found(html, element, problem):
    (html / "index.html").write_text(GOOD + element)
    (found,) = problems(html)
    assert found.startswith("index.html: ") and problem in found


def test_a_style_sheet_may_load_nothing_from_the_network(html):
    (html / "style.css").write_text("@font-face { src: url('https://example.org/f.woff2') }")
    assert problems(html) == ["style.css: loads https://example.org/f.woff2 from the network"]
