"""Files that are whole, that know what is in them, and that one process makes for all.

Every store of this package writes through `replacing`, names its contents by `code_hash` and
checks what it reads against a digest that lies in the file itself.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import secrets
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from filelock import FileLock
from tqdm import tqdm

from elrcn.errors import ElrcnError

_PACKAGE = Path(__file__).parent
_LIBRARIES = ("elrcn", "numpy", "opencv-contrib-python-headless", "scikit-learn", "torch", "numba")
# Modules without arithmetic: settings are in every key by value, and these only keep files.
_NO_NUMBERS = frozenset({"config.py", "errors.py", "files.py", "workspace.py"})
_PART = ".part"
_STALE = 3600.0  # seconds after which a temporary file belongs to a process that was killed
_FOOT = b"\n# sha256 "
_FOOT_SIZE = len(_FOOT) + 64


# --- writing -------------------------------------------------------------------------------------


@contextmanager
def replacing(path: str | Path, fix: str = "") -> Iterator[Path]:
    """Give a temporary neighbour of `path` to fill; it takes the place of `path` at the end.

    Whoever looks at `path` sees what was there before or all of the new, never a half: a file is
    on the disk before it is renamed. If the block raises, nothing is left behind.

    Parameters
    ----------
    path : path
        File or folder to be made; its parent is made if it is missing. A file replaces what is
        there; a folder does not replace a folder with something in it, which is left as it is.
    fix : str
        What the user is told to do if it cannot be written.

    Yields
    ------
    Path
        Where to write. Make it a file or a folder (``mkdir``).

    Raises
    ------
    ElrcnError
        If the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    part = path.with_name(f".{path.name[:80]}.{os.getpid()}-{secrets.token_hex(4)}{_PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _to_disk(part)
        try:
            os.replace(part, path)
        except OSError:
            if not (part.is_dir() and path.is_dir() and any(path.iterdir())):
                raise
            return  # another process was first
        _to_disk(path.parent)
    except OSError as error:
        raise ElrcnError(
            f"This cannot be written: {error.strerror or error}.",
            where=path,
            fix=fix
            or "free some space on that disk, or choose a folder that you may write to, "
            "and run again: what was finished is kept",
        ) from error
    finally:
        _remove(part)


def write(path: str | Path, content: str | bytes, fix: str = "") -> Path:
    """Write text (UTF-8) or bytes to `path`, all of it or nothing: see `replacing`."""
    with replacing(path, fix) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


def _to_disk(path: Path) -> None:
    # Some file systems cannot open, so not sync, a folder.
    with suppress(OSError) if path.is_dir() else nullcontext():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def sweep(folder: str | Path) -> None:
    """Remove from `folder` what killed processes left there more than an hour ago."""
    for left in Path(folder).glob(f".*{_PART}"):
        with suppress(OSError):  # another process may sweep the same
            if time.time() - left.lstat().st_mtime > _STALE:
                _remove(left)


def set_aside(path: str | Path, why: str = "it is damaged") -> Path | None:
    """Move what lies at `path` out of the way, and say so in a warning.

    Returns where it is now, a hidden neighbour ending in ``.damaged``; None if there was nothing,
    or it could not be renamed and was removed.
    """
    path = Path(path)
    if not os.path.lexists(path):
        return None
    aside = path.with_name(f".{path.name[:200]}.damaged")
    _remove(aside)
    try:
        os.replace(path, aside)
    except OSError:
        _remove(path)
        aside, done = None, "removed"
    else:
        done = "set aside"
    warnings.warn(f"{path}: {why}; {done}, and made again", RuntimeWarning, stacklevel=3)
    return aside


# --- what is in a file ---------------------------------------------------------------------------


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits; raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_digest(path: str | Path) -> str:
    """Give `file_digest` of a large file, read once a process; "" if it cannot be read."""
    try:
        return _known_digest(str(path), *_state(path))
    except OSError:
        return ""


@lru_cache(maxsize=64)
def _known_digest(path: str, *state: int) -> str:
    return file_digest(path)


def _state(path: str | Path) -> tuple[int, int, int]:
    """Tell size, inode and time of change, by which a process knows a file that it has read."""
    about = os.stat(path)
    return about.st_size, about.st_ino, about.st_mtime_ns


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Store `array` as .npy with a digest behind it: all of it or nothing, see `replacing`.

    The digest stands after the last value, where readers of .npy do not look. It covers the names
    of the file and its folder too, which say what the values are: the whole array of another clip
    or network is not taken for this one.
    """
    with replacing(path) as part:
        with open(part, "wb") as file:
            np.save(file, array, allow_pickle=False)
        digest = hashlib.sha256(_place(path))
        with open(part, "rb+") as file:
            while block := file.read(1 << 20):
                digest.update(block)
            file.write(_FOOT + digest.hexdigest().encode())


def _place(path: str | Path) -> bytes:
    path = Path(path).absolute()
    return f"{path.parent.name}/{path.name}\n".encode()


def read_array(path: str | Path) -> np.ndarray | None:
    """Array that `write_array` stored; None if it is missing, damaged or of another kind."""
    if not is_whole(path):
        return None
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def is_whole(path: str | Path) -> bool:
    """Whether a file that `write_array` wrote agrees with its digest.

    A process reads a file for this once, and again only if its size or time of change differ.
    """
    try:
        return _is_whole(str(path), *_state(path))
    except OSError:
        return False


@lru_cache(maxsize=1 << 16)
def _is_whole(path: str, size: int, *state: int) -> bool:
    digest, left = hashlib.sha256(_place(path)), size - _FOOT_SIZE
    with open(path, "rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        return left == 0 and file.read() == _FOOT + digest.hexdigest().encode()


def write_json(path: str | Path, value: dict[str, Any], of: str = "") -> None:
    """Store `value` as JSON with a digest under the key ``sha256``: all of it or nothing.

    The digest covers `of` too, what the value belongs to: the same must be said when it is read.
    """
    value = json.loads(json.dumps(value))
    write(path, json.dumps({**value, "sha256": _json_digest(value, of)}, indent=1) + "\n")


def read_json(path: str | Path, of: str = "") -> dict[str, Any] | None:
    """Give what `write_json` stored; None if it is missing, damaged or belongs to another thing."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
        digest = value.pop("sha256")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return value if digest == _json_digest(value, of) else None


def _json_digest(value: dict[str, Any], of: str) -> str:
    return hashlib.sha256((of + json.dumps(value, sort_keys=True)).encode()).hexdigest()


# --- made once, side by side ---------------------------------------------------------------------


@contextmanager
def computed_once(path: str | Path) -> Iterator[None]:
    """Let one process at a time make what lies at `path`, while others wait.

    Whoever enters looks first whether that file or folder has been made meanwhile. The lock lies in
    the folder ``.locks`` beside `path`, where all processes that could make it meet, on other
    machines too. The system frees the lock of a process that is killed. Where no lock can be had
    nothing is locked: the work may then be done twice, and `replacing` keeps files whole.
    """
    path, lock = Path(path).absolute(), None
    try:
        folder = path.parent / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{path.name[:120]}.lock")
        lock.acquire()
    except (OSError, NotImplementedError):
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def side_by_side(
    jobs: Iterable[tuple],
    count: int,
    *,
    title: str = "",
    unit: str = "clip",
    total: int | None = None,
    workers: int | None = None,
    threads: bool = False,
    progress: bool = True,
    weigh: Callable[[Any], int] = lambda result: 1,
) -> Iterator[Any]:
    """Run jobs at once under a progress bar; results come in the order they end.

    Parameters
    ----------
    jobs : iterable of tuple
        ``(function, *arguments)``.
    count : int
        Jobs, by the weight of `weigh`.
    title, unit : str
        Of the bar.
    total : int, optional
        What the bar counts to, if something was done before; default `count`.
    workers : int, optional
        At once; None: one a core. 1 leaves it to joblib's surrounding configuration, if any.
    threads : bool
        Threads instead of processes, for work that frees the interpreter's lock.
    progress : bool
        Show the bar on standard error.
    weigh : callable
        Steps of the bar that a result stands for.
    """
    total = count if total is None else total
    if not count:
        return
    parallel = joblib.Parallel(
        n_jobs=None if workers == 1 else workers or os.cpu_count() or 1,
        prefer="threads" if threads else None,
        return_as="generator_unordered",
    )
    done = parallel(joblib.delayed(function)(*arguments) for function, *arguments in jobs)
    with tqdm(
        total=total, initial=total - count, desc=title, unit=unit, disable=not progress
    ) as bar:
        for result in done:
            bar.update(weigh(result))
            yield result


def open_folder(folder: Path, about: dict) -> None:
    """Make the cache folder `folder` with `about` in it; clear what killed processes left there."""
    sweep(folder)
    if not (folder / "config.json").is_file():
        fix = "make room on that disk, or choose a cache folder that you may write to"
        write(folder / "config.json", json.dumps(about, indent=1) + "\n", fix)


# --- what made it --------------------------------------------------------------------------------


def code_hash(*parts: str, alone: Iterable[str] = ()) -> str:
    """Hash the code of modules and of all they import inside this package: 16 hex digits.

    Changes when code does that the parts can reach by imports, wherever these stand; so a stored
    result is never taken for that of other code, and a changed caption costs nothing. Blind to
    comments and docstrings, and to modules that hold no arithmetic (settings are in the keys by
    their values).

    Parameters
    ----------
    *parts : str
        Paths below ``elrcn/``, such as ``"models"`` or ``"preprocess/flow.py"``.
    alone : iterable of str
        Modules whose own code counts, but not what they import.
    """
    digest = hashlib.sha256()
    for path in sorted({*import_closure(*parts), *alone}):
        digest.update(f"{path}\n{_module(_PACKAGE / path)[0]}\n".encode())
    return digest.hexdigest()[:16]


def import_closure(*parts: str) -> frozenset[str]:
    """Modules that `parts` are or import, directly or not, as paths below ``elrcn/``."""
    left = []
    for part in parts:
        target = _PACKAGE / part
        left += target.rglob("*.py") if target.is_dir() else [target]
    reached: set[str] = set()
    while left:
        path = left.pop()
        name = path.relative_to(_PACKAGE).as_posix()
        if name not in reached and name not in _NO_NUMBERS:
            reached.add(name)
            left += _module(path)[1]
    return frozenset(reached)


@cache
def _module(path: Path) -> tuple[str, tuple[Path, ...]]:
    """Code of a module without docstrings, and the files of this package that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports += [f"{node.module}.{alias.name}" for alias in node.names]
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(getattr(body[0], "value", None), ast.Constant):
                node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree), tuple(p for name in imports for p in _files_of(name))


def _files_of(name: str) -> Iterator[Path]:
    """Files that ``import name`` runs: each package on the way, then the module."""
    first, *rest = name.split(".")
    place = _PACKAGE
    for part in rest if first == _PACKAGE.name else ():
        place = place / part
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                yield path


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide the numbers."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
