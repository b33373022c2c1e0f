"""Commands shown with what they print, run live while a page is executed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from elrcn.config import get_profile
from elrcn.corpus import make_corpus
from elrcn.databases.folders import VARIABLES
from elrcn.errors import ElrcnError
from elrcn.session import Session
from elrcn.workspace import Workspace, find_workspace
from elrcn_book.show import Shown


@dataclass(frozen=True, repr=False)
class CommandRun(Shown):
    """A command and what it printed.

    Attributes
    ----------
    command : str
        As typed.
    output : str
        Standard output, then standard error; the terminal's folder is left out of paths.
    code : int
        Exit code.
    seconds : float
        Wall time.
    """

    command: str
    output: str
    code: int
    seconds: float

    @property
    def _text(self) -> str:
        return f"$ {self.command}\n{self.output}".rstrip()

    def markdown(self) -> str:
        """MyST: a block of code."""
        return f"`````text\n{self._text}\n`````\n"

    def html(self) -> str:
        """HTML for a notebook run by hand."""
        return f'<pre style="overflow-x:auto">{escape(self._text)}</pre>'


class Terminal:
    """Runs `elrcn` in a folder of its own, which is a workspace too: nothing else is touched.

    Parameters
    ----------
    folder : Path, optional
        Working folder; made, and made a workspace, if it is none. Default: a temporary one, which
        lasts as long as the terminal.
    workspace : Workspace, optional
        The checkout whose ``data_manifest`` and table of contents the folder gets. Default: the
        one around the current folder.

    Attributes
    ----------
    runs : list of CommandRun
        Everything run so far.
    """

    def __init__(self, folder: str | Path | None = None, workspace: Workspace | None = None):
        if folder is None:
            self._scratch = tempfile.TemporaryDirectory()
            folder = Path(self._scratch.name) / "desk"
        workspace = workspace or find_workspace()
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "_toc.yml").exists():
            shutil.copy(workspace.root / "_toc.yml", self.folder)
            shutil.copytree(workspace.data_manifest, self.folder / "data_manifest")
        self.runs: list[CommandRun] = []
        self._workspace = workspace

    def unpack(self, profile: str, workers: int = 0) -> Session:
        """Write the synthetic databases of a profile into ``unpacked/``; a session on them.

        Licensed folders that are named on this machine are not read.
        """
        corpus = get_profile(profile).corpus
        made = make_corpus(self.folder / "unpacked", corpus, progress=False)
        return Session(profile, made.casme2, made.samm, workers, progress=False,
                       workspace=self._workspace)  # fmt: skip

    def run(self, command: str, expect: tuple[int, ...] = (0,)) -> CommandRun:
        """Run a command line that begins with ``elrcn``, without a shell.

        Raises
        ------
        ElrcnError
            If it is another program, or ends with an exit code not in `expect`.
        """
        name, *arguments = shlex.split(command)
        if name != "elrcn":
            raise ElrcnError(f"Only elrcn is run on a page, not {name!r}.")
        program = [sys.executable, "-c", "from elrcn.cli import main; main()"]
        own = {"ELRCN_HOME": str(self.folder), **dict.fromkeys(VARIABLES.values(), "")}
        started = time.perf_counter()
        done = subprocess.run(
            [*program, *arguments],
            cwd=self.folder,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        seconds = time.perf_counter() - started
        text = "\n".join(part.rstrip() for part in (done.stdout, done.stderr) if part.strip())
        text = text.replace(f"{self.folder}{os.sep}", "").replace(str(self.folder), ".")
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
        ran = CommandRun(command, text, done.returncode, seconds)
        if done.returncode not in expect:
            raise ElrcnError(f"`{command}` ended with exit code {done.returncode}: {text}")
        self.runs.append(ran)
        return ran

    def table(self) -> pd.DataFrame:
        """List the commands run: index `command`, columns `exit code` and `seconds`."""
        rows = [(r.command, r.code, round(r.seconds, 1)) for r in self.runs]
        return pd.DataFrame(rows, columns=["command", "exit code", "seconds"]).set_index("command")
