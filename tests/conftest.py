"""A workspace with the smoke corpus, made once for all tests that only read it."""

import shutil
from pathlib import Path

import pytest

from elrcn import files
from elrcn.config import PROFILES
from elrcn.session import Session
from elrcn.workspace import Workspace, find_workspace


@pytest.fixture(scope="session")
def smoke_home(tmp_path_factory):
    """Root of a workspace in which the smoke profile's corpus lies ready; runs may be added."""
    root = tmp_path_factory.mktemp("smoke-home")
    here = find_workspace(__file__)
    shutil.copy(here.root / "_toc.yml", root)
    shutil.copytree(here.data_manifest, root / "data_manifest")
    session = Session(PROFILES["smoke"].name, workspace=Workspace(root), progress=False)
    if not session.given:
        assert session.roots
    return root


@pytest.fixture(scope="session")
def corruptions():
    """Ten ways in which a file loses its contents: from its bytes to the damaged ones."""
    return _corruptions


def _corruptions(data: bytes) -> list[bytes]:
    middle = len(data) // 2
    flipped = [bytearray(data) for _ in range(4)]
    for copy, where in zip(flipped, (0, middle, -min(80, middle), -1), strict=True):
        copy[where] ^= 1
    return [
        b"", data[:10], data[:middle], data[:-1], data[1:], b"\0" * len(data),
        *map(bytes, flipped),
    ]  # fmt: skip


@pytest.fixture
def other_code(tmp_path, monkeypatch):
    """Hash a copy of the package that a test changes: ``other_code("models/train.py")``."""
    package = Path(files.__file__).parent
    copy = tmp_path / "other-code" / "elrcn"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def change(module: str) -> None:
        with open(copy / module, "a", encoding="utf-8") as file:
            file.write("\n_ANOTHER_CONSTANT = 0.9\n")
        files._module.cache_clear()
        monkeypatch.setattr(files, "_PACKAGE", copy)

    yield change
    files._module.cache_clear()
