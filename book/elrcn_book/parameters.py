"""Notebook parameters, checked before a kernel starts: papermill itself only warns."""

from __future__ import annotations

import ast
import difflib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from elrcn.config import get_profile
from elrcn.errors import ElrcnError


@dataclass(frozen=True)
class Parameter:
    """One line ``name: type = default  # help`` of the cell tagged ``parameters``."""

    name: str
    type: str
    default: Any
    help: str


def notebook_parameters(path: str | Path) -> dict[str, Parameter]:
    """Return the parameters of a notebook as ``papermill --help-notebook`` sees them.

    Raises
    ------
    ElrcnError
        If the file is no notebook.
    """
    from papermill import inspect_notebook

    path = Path(path)
    logger = logging.getLogger("papermill")
    level = logger.level
    try:
        # A notebook without parameters is fine; papermill would say so on every run.
        logger.setLevel(logging.ERROR)
        found = inspect_notebook(path)
    except OSError as error:
        raise ElrcnError("The notebook cannot be read.", path, error.strerror) from error
    except Exception as error:
        # nbformat, JSON and papermill each raise their own kind for a broken file.
        text = str(error).strip() or type(error).__name__
        raise ElrcnError(
            "The notebook cannot be read.", path, f"mend the file: {text.splitlines()[-1]}"
        ) from error
    finally:
        logger.setLevel(level)
    return {
        name: Parameter(name, p["inferred_type_name"], _literal(p["default"]), p["help"])
        for name, p in found.items()
    }


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


_SIMPLE = {
    "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "float": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "str": lambda v: isinstance(v, str),
    "bool": lambda v: isinstance(v, bool),
    "list": lambda v: isinstance(v, (list, tuple)),
    "tuple": lambda v: isinstance(v, (list, tuple)),
    "dict": lambda v: isinstance(v, dict),
    "None": lambda v: v is None,
}


def _fits(value: Any, node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=None):
            return value is None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _fits(value, left) or _fits(value, right)
        case ast.Name(id="Any"):
            return True
        case ast.Name(id=name):
            return name not in _SIMPLE or _SIMPLE[name](value)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return value is None or _fits(value, inner)
        case ast.Subscript(value=ast.Name(id="list" | "tuple" as name), slice=inner):
            element = inner.elts[0] if isinstance(inner, ast.Tuple) else inner
            return _SIMPLE[name](value) and all(_fits(v, element) for v in value)
        case ast.Subscript(value=base):
            return _fits(value, base)
    return True


def _annotation(parameter: Parameter) -> ast.expr:
    text = parameter.type
    if text in ("", "None"):
        text = type(parameter.default).__name__.replace("NoneType", "Any")
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return ast.Name(id="Any")


def checked_value(page: str, parameter: Parameter, value: Any) -> Any:
    """Return `value` as the parameter's type wants it.

    Text from a command line is read as YAML (``true``, ``3``, ``[1, 2]``) unless the parameter is
    a ``str``.

    Raises
    ------
    ElrcnError
        If the value does not fit the annotation, or is no known profile.
    """
    wanted = _annotation(parameter)
    if isinstance(value, str) and not _fits(value, wanted):
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError:
            pass
    if not _fits(value, wanted):
        raise ElrcnError(
            f"The parameter {parameter.name!r} of {page} must be {ast.unparse(wanted)}, "
            f"not {value!r}.",
            where=f"notebooks/{page}.ipynb",
            fix=f"{parameter.help or 'see its help'} (default {parameter.default!r})",
        )
    if parameter.name == "profile":
        get_profile(value)
    return value


def resolve_parameters(
    sources: Mapping[str, Path], overrides: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Give every notebook those of `overrides` that it has, and check them.

    Parameters
    ----------
    sources : mapping of str to Path
        Page name to source notebook.
    overrides : mapping of str to object, optional
        Values that replace defaults.

    Returns
    -------
    dict of str to dict
        Page name to its overrides, converted to the parameters' types.

    Raises
    ------
    ElrcnError
        If no notebook has a parameter of that name, or a value has the wrong type.
    """
    known = {page: notebook_parameters(path) for page, path in sources.items()}
    every = sorted({name for parameters in known.values() for name in parameters})
    for name in overrides or {}:
        if name not in every:
            near = difflib.get_close_matches(name, every, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ElrcnError(
                f"There is no notebook parameter called {name!r}.",
                where=", ".join(str(p) for p in sources.values()),
                fix=f"{hint}Known: {', '.join(every) or 'none'}",
            )
    return {
        page: {
            name: checked_value(page, parameters[name], value)
            for name, value in (overrides or {}).items()
            if name in parameters
        }
        for page, parameters in known.items()
    }


def all_parameters(path: str | Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter of a notebook: the defaults, replaced by `overrides`."""
    return {name: p.default for name, p in notebook_parameters(path).items()} | dict(overrides)
