"""`elrcn preprocess`."""

from __future__ import annotations

import click

from elrcn.cli.options import session_options


@click.command("preprocess")
@session_options
def preprocess(session, remarks):
    """Compute and cache the network input of every clip: TIM, TV-L1 flow, strain and grey.

    Clips that are cached already are not computed again.

    \b
    Examples:
      elrcn preprocess                                   the embedded corpus
      elrcn preprocess --profile paper --casme2 DIR --samm DIR
    """
    manifest = session.manifest
    remarks.tell()
    stacks = session.clips(manifest)
    grey = session.clips(manifest, kind="grey")
    click.echo(f"{len(stacks)} clips: stacks {stacks.shape}, grey sequences {grey.shape}")
    click.echo(f"in {session.workspace.cache}")
    remarks.tell()


COMMANDS = {"preprocess": preprocess}
