"""What produced a result: versions, device and a hash of the code that matters."""

from __future__ import annotations

import ast
import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGE = Path(__file__).parent
_LIBRARIES = ("elrcn", "numpy", "opencv-contrib-python-headless", "scikit-learn", "torch", "numba")


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(getattr(body[0], "value", None), ast.Constant):
                node.body = body[1:] or [ast.Pass()]
    return tree


@cache
def code_hash(*parts: str, length: int = 16) -> str:
    """Hash the code of modules or folders of this package, blind to comments and docstrings.

    Parameters
    ----------
    *parts : str
        Paths below ``elrcn/``, such as ``"models"`` or ``"preprocess/flow.py"``.
    length : int
        Hex digits kept.

    Returns
    -------
    str
        Changes when the code does, so that a stored result is never taken for that of other code.
    """
    digest = hashlib.sha256()
    for part in parts:
        target = _PACKAGE / part
        for path in sorted(target.rglob("*.py")) if target.is_dir() else [target]:
            tree = _without_docstrings(ast.parse(path.read_text(encoding="utf-8")))
            digest.update(path.relative_to(_PACKAGE).as_posix().encode())
            digest.update(ast.unparse(tree).encode())
    return digest.hexdigest()[:length]


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide the numbers."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
