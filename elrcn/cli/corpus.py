"""`elrcn corpus make`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from elrcn.cli import options
from elrcn.config import get_profile


@click.group("corpus")
def corpus():
    """Make the embedded synthetic corpus, in the two databases' own layouts."""


@corpus.command("make")
@click.argument("folder", type=click.Path(path_type=Path))
@options.profile
@click.option("--seed", type=int, default=None, help="Another corpus of the same kind.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def make(folder: Path, profile: str, seed: int | None, quiet: bool):
    """Write CASME2/, SAMM/ and truth/ below FOLDER.

    The same seed writes the same bytes. An interrupted run goes on where it stopped.

    \b
    Examples:
      elrcn corpus make data/mine
      elrcn corpus make data/all --profile paper      the real databases' sizes
      elrcn manifest check --casme2 data/mine/CASME2 --samm data/mine/SAMM
    """
    from elrcn.corpus import make_corpus

    config = get_profile(profile).corpus
    if seed is not None:
        config = replace(config, seed=seed)
    made = make_corpus(folder, config, progress=not quiet)
    click.echo(f"CASME II: {made.casme2}\nSAMM:     {made.samm}")


COMMANDS = {"corpus": corpus}
