import shutil

import pytest
from small_checkout import make_workspace

from elrcn.workspace import Workspace
from elrcn_book.execute import run_notebooks


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    """A workspace whose page was executed by papermill; shared, so tests must not change it."""
    workspace = make_workspace(tmp_path_factory.mktemp("executed") / "checkout")
    (run,) = run_notebooks(workspace, parameters={"seed": 8}, progress=False)
    assert run.executed
    return workspace


@pytest.fixture
def workspace(executed, tmp_path):
    """A copy of `executed` that a test may spoil."""
    root = tmp_path / "checkout"
    shutil.copytree(executed.root, root)
    return Workspace(root)
