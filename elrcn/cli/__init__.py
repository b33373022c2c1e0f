"""The command `elrcn`: each group of commands is a module here."""

from __future__ import annotations

import errno
import sys
import warnings
from importlib import import_module
from importlib.metadata import entry_points

import click

import elrcn
from elrcn.errors import ElrcnError

_LAZY = {
    "corpus": ("elrcn.cli.data", "Make the synthetic dataset."),
    "manifest": ("elrcn.cli.data", "Read, check and freeze the databases' clip tables."),
    "preprocess": ("elrcn.cli.data", "Compute and cache TIM, flow, strain and grey."),
    "list": ("elrcn.cli.run", "List the paper's experiments."),
    "run": ("elrcn.cli.run", "Run an experiment of the paper."),
    "train": ("elrcn.cli.model", "Train on all clips of a task and save the model."),
    "predict": ("elrcn.cli.model", "Apply a saved model to your own video or frames."),
    "notebooks": ("", "Execute the notebooks into book/executed/."),
    "book": ("", "Build the HTML book from executed notebooks."),
}


def _of_the_book(name: str) -> click.Command:
    """Command that the book's own package brings; the library does not know it."""
    for entry in entry_points(group="elrcn.commands", name=name):
        try:
            return entry.load()
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != entry.module.partition(".")[0]:
                raise
    raise ElrcnError(
        f"`elrcn {name}` belongs to the book, whose package is not installed.",
        fix="in the cloned folder: pip install '.[book]' (or `make install`)",
    )


class _Commands(click.Group):
    # Importing torch takes seconds: `elrcn --help` must not wait for it.
    def list_commands(self, ctx):
        return list(_LAZY)

    def get_command(self, ctx, name):
        if name not in _LAZY:
            return None
        module = _LAZY[name][0]
        if not module:
            return _of_the_book(name)
        return import_module(module).COMMANDS[name]

    def format_commands(self, ctx, formatter):
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _LAZY.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(elrcn.__version__, prog_name="elrcn")
def cli():
    """ELRCN (Khor et al. 2018) as an executable paper.

    \b
    From nothing to Table I on the synthetic dataset:
      elrcn run table1 --profile smoke      seconds: does everything work?
      elrcn run table1                      minutes: the demo profile
    \b
    On your licensed copies:
      elrcn manifest check --casme2 DIR --samm DIR
      elrcn run tables --profile paper --casme2 DIR --samm DIR --vggface FILE
    \b
    On a recording of your own:
      elrcn train table1 --method elrcn_se --out models/se
      elrcn predict models/se VIDEO --onset 31 --offset 52 --picture answer.svg
    \b
    The book:
      elrcn notebooks && elrcn book

    Every long step shows its progress, can be interrupted with Ctrl-C, and goes on where it
    stopped when the same command is given again.
    """


def _one_line(message, category, filename, lineno, line=None) -> str:
    return f"note: {message}\n"


def main(argv: list[str] | None = None) -> None:
    """Run the command line; a user's mistake ends in one message and exit code 2."""
    warnings.formatwarning = _one_line  # what to know, not where in the code it was said
    try:
        code = cli.main(args=argv, prog_name="elrcn", standalone_mode=False)
    except ElrcnError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted: the same command goes on where this stopped", err=True)
        sys.exit(130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        click.echo(f"error: {error.strerror}\n  where: {error.filename}", err=True)
        click.echo("  to do: free some space or choose another folder, then repeat", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
