"""`elrcn notebooks` and `elrcn book`, which need more packages than the library does."""

from __future__ import annotations

from importlib.util import find_spec

import click

from elrcn.cli import options
from elrcn.errors import ElrcnError

#: What the extra `book` brings, by the names they are imported by.
_PACKAGES = ("ipykernel", "itables", "jupyter_book", "jupyter_client", "nbformat", "papermill",
             "seaborn", "sphinx_book_theme", "yaml", "zmq")  # fmt: skip


def _require_packages() -> None:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ElrcnError(
            f"Packages that only the book needs are not installed: {', '.join(missing)}.",
            fix="in the cloned folder: pip install '.[book]' (or `make install`)",
        )


@click.command("notebooks")
@click.argument("names", nargs=-1)
@options.profile
@options.casme2
@options.samm
@click.option("-p", "--parameter", "parameters", nargs=2, multiple=True, metavar="NAME VALUE",
              help="Override a notebook's parameter; may be repeated.")  # fmt: skip
@click.option("--force", is_flag=True, help="Execute even where nothing changed.")
@click.option("--jobs", default=0, type=click.IntRange(0), show_default="two if cores allow",
              help="Pages executed at once; on a GPU and at full size one.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress bars.")
def notebooks(names, profile, casme2, samm, parameters, force, jobs, quiet):
    """Execute NAMES (default: all pages of the book) into book/executed/.

    Only what changed since its last good run is executed. A notebook that fails leaves its last
    good page, and no book is built from that page until it is mended.

    \b
    Examples:
      elrcn notebooks
      elrcn notebooks table1 --profile smoke
      elrcn notebooks table1 -p seed 3 --force
      elrcn notebooks table2 table3 --jobs 1
      papermill --help-notebook notebooks/table1.ipynb      explains the parameters
    """
    _require_packages()
    from elrcn.config import VGGConfig, get_profile
    from elrcn.models.train import resolve_device
    from elrcn.workspace import find_workspace
    from elrcn_book.execute import run_notebooks

    full_size = bool(profile) and get_profile(profile).vgg == VGGConfig()
    if not jobs and (full_size or resolve_device("auto").type != "cpu"):
        jobs = 1  # one page fills the machine's memory, or its GPU
    given = {"profile": profile, "casme2_root": casme2, "samm_root": samm}
    source = click.get_current_context().get_parameter_source("profile")
    if source is click.core.ParameterSource.DEFAULT:
        # The notebooks' own default; and some, such as the audit, have no profile.
        del given["profile"]
    chosen = {name: value for name, value in given.items() if value}
    for name in chosen.keys() & dict(parameters).keys():
        if dict(parameters)[name] != chosen[name] and name != "profile":
            raise ElrcnError(f"{name} is given twice.", fix="give the option or -p, not both")
    runs = run_notebooks(
        find_workspace(),
        names,
        chosen | dict(parameters),
        force=force,
        progress=not quiet,
        jobs=jobs,
    )
    for run in runs:
        state = f"executed, {run.reason}" if run.executed else "unchanged"
        click.echo(f"{run.page:<16} {run.seconds:7.1f} s  {state}")


@click.command("book")
@click.option("--strict/--lenient", default=True, show_default=True,
              help="Treat warnings, broken links and network references as errors.")  # fmt: skip
@click.option("--mixed", is_flag=True,
              help="Allow pages of several profiles or data; every page then says so.")  # fmt: skip
@click.option("--force", is_flag=True, help="Build even where nothing changed.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def book(strict, mixed, force, quiet):
    """Build _build/html from executed notebooks whose receipts match.

    \b
    Examples:
      elrcn book
      elrcn book --lenient --force
      elrcn book --mixed            a smoke Table I among demo pages, say
    """
    _require_packages()
    from elrcn.workspace import find_workspace
    from elrcn_book.build import build_book

    index = build_book(
        find_workspace(), strict=strict, force=force, progress=not quiet, mixed=mixed
    )
    click.echo(f"open {index}")
