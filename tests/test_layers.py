"""Imports go one way along the data's path: the graph of the package has layers and no circle."""

import ast
from pathlib import Path

import elrcn

PACKAGE = Path(elrcn.__file__).parent

#: From what knows nothing of the others to what knows all. Modules of one layer may import each
#: other (without a circle) and those of the layers above in this list, nothing below.
LAYERS = (
    ("errors", "workspace", "config"),
    ("files", "facs"),
    ("manifest", "evaluation"),
    ("published",),
    ("databases", "corpus"),
    ("preprocess",),
    ("features", "models", "explain"),
    ("session",),
    ("experiments",),
    ("estimate", "predict"),
    ("picture",),
    ("cli",),
)
LEVEL = {name: number for number, names in enumerate(LAYERS) for name in names}


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(path):
    """Modules of the package that a module imports anywhere, but for its type annotations."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in FILES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("elrcn"):
            for a in node.names:
                whole = f"{node.module}.{a.name}"
                yield whole if whole in FILES else node.module


GRAPH = {name: set(imported(path)) - {name} for name, path in FILES.items()}


def layer(name):
    return LEVEL[name.split(".")[1]]


def test_every_module_has_a_layer():
    assert {name.split(".")[1] for name in FILES if "." in name} == set(LEVEL)


def test_no_import_goes_back_up():
    back = [
        f"{name} imports {other}"
        for name, others in GRAPH.items()
        for other in others
        if "." in name and "." in other and layer(other) > layer(name)
    ]
    assert back == []


def test_no_circle():
    done, on_the_way = set(), []

    def visit(name):
        if name in on_the_way:
            raise AssertionError(" -> ".join([*on_the_way[on_the_way.index(name) :], name]))
        if name not in done:
            on_the_way.append(name)
            for other in sorted(GRAPH[name]):
                visit(other)
            done.add(on_the_way.pop())

    for name in sorted(FILES):
        visit(name)


OF_THE_BOOK = {"elrcn_book", "seaborn", "papermill", "jupyter_book", "IPython", "itables"}


def test_the_library_needs_nothing_of_the_book():
    for path in FILES.values():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & OF_THE_BOOK, path
