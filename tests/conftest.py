"""A workspace with the smoke corpus, made once for all tests that only read it."""

import shutil

import pytest

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
