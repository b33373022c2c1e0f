"""`elrcn corpus`, `elrcn manifest` and `elrcn preprocess`: clips, from folders to network input."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import click

from elrcn.cli import options
from elrcn.config import get_profile
from elrcn.errors import ElrcnError


@click.group("corpus")
def corpus():
    """Make the synthetic dataset, in the two databases' own layouts."""


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


@click.group("manifest")
def manifest():
    """Read, check and freeze the databases' clip tables."""


def _roots(casme2: str, samm: str) -> dict[str, Path]:
    """Folders of the databases given, of which there must be one."""
    from elrcn.databases.folders import resolve_roots

    roots = resolve_roots(casme2 or None, samm or None)
    if not roots:
        raise ElrcnError(
            "No database was given.",
            fix="give --casme2 DIR or --samm DIR, or set ELRCN_CASME2 or ELRCN_SAMM; "
            "`elrcn corpus make DIR` writes synthetic ones",
        )
    return roots


def _reading_options(command):
    @options.casme2
    @options.samm
    @click.option("--casme2-sheet", default=None, metavar="FILE", help="Label sheet, if several.")
    @click.option("--objective-sheet", default=None, metavar="FILE", help="CASME2 class sheet.")
    @click.option("--samm-sheet", default=None, metavar="FILE", help="Label sheet, if several.")
    @click.option("--source", type=click.Choice(["cropped", "raw"]), default="cropped",
                  show_default=True, help="Which CASME II frames, where both exist.")  # fmt: skip
    @click.option("--corrections/--no-corrections", default=True, show_default=True,
                  help="Apply the repairs of data_manifest/corrections.csv; "
                  "each is listed.")  # fmt: skip
    @click.option("--deep", is_flag=True, help="Decode every frame; slower, finds broken pixels.")
    @options.workers
    @click.option("--quiet", is_flag=True, help="No progress bars.")
    @functools.wraps(command)
    def wrapped(casme2, samm, casme2_sheet, objective_sheet, samm_sheet, source, corrections,
                deep, workers, quiet, **rest):  # fmt: skip
        sheets = {"sheet": casme2_sheet, "objective_sheet": objective_sheet, "source": source}
        return command(
            roots=_roots(casme2, samm),
            per_database={"CASME2": sheets, "SAMM": {"sheet": samm_sheet}},
            common={
                "corrections": corrections,
                "deep": deep,
                "workers": workers or None,
                "progress": not quiet,
            },
            **rest,
        )

    return wrapped


@manifest.command("check")
@_reading_options
def check(roots, per_database, common):
    """Report on the folders of CASME II and SAMM: what is there, what is missing, what is odd.

    Exit code 0: clean; 1: usable, with remarks; 2: something must be mended or decided first.

    \b
    Examples:
      elrcn manifest check --casme2 ~/CASME2 --samm ~/SAMM
      elrcn manifest check --casme2 ~/CASME2 --source raw --deep
    """
    from elrcn.databases.check import check_report

    report = check_report(roots, per_database, **common)
    click.echo(report.render_text())
    return report.exit_code


@manifest.command("build")
@_reading_options
@click.option("--out", type=click.Path(path_type=Path), default=Path("manifest"),
              show_default=True, help="Folder of manifest.csv and datapackage.json.")  # fmt: skip
def build(roots, per_database, common, out):
    """Freeze the clip table as CSV with a Frictionless datapackage.json.

    The table holds labels: made from a licensed copy, it may not be published.

    \b
    Examples:
      elrcn manifest build --casme2 ~/CASME2 --samm ~/SAMM --out my-manifest
      elrcn manifest verify my-manifest --casme2 ~/CASME2 --samm ~/SAMM
    """
    from elrcn import databases
    from elrcn.databases.check import write_datapackage

    table, findings = databases.read(roots, per_database, **common)
    for finding in findings:
        click.echo(f"{finding.level}: {finding}", err=True)
    click.echo(f"{len(table)} clips in {write_datapackage(table, out)}")


@manifest.command("verify")
@click.argument("folder", type=click.Path(path_type=Path))
@options.casme2
@options.samm
@options.workers
@click.option("--quiet", is_flag=True, help="No progress bar.")
def verify(folder: Path, casme2, samm, workers, quiet):
    """Tell what changed on disk since the manifest in FOLDER was built (exit code 1 if anything).

    \b
    Example:
      elrcn manifest verify my-manifest --casme2 ~/CASME2 --samm ~/SAMM
    """
    from elrcn.databases.check import read_datapackage
    from elrcn.databases.check import verify as compare

    roots = _roots(casme2, samm)
    held = read_datapackage(folder, roots)
    missing = sorted(set(held.table["database"]) - set(roots))
    if missing:
        raise ElrcnError(
            f"The manifest holds clips of {' and '.join(missing)}, and no folder was given for it.",
            where=folder,
            fix="give --casme2 and --samm",
        )
    changes = compare(held, roots, workers=workers or None, progress=not quiet)
    for change in changes:
        click.echo(change)
    click.echo(f"{len(held)} clips, {len({c.clip for c in changes})} changed")
    return 1 if changes else 0


@click.command("preprocess")
@options.session_options
def preprocess(session, remarks):
    """Compute and cache the network input of every clip: TIM, TV-L1 flow, strain and grey.

    Clips that are cached already are not computed again.

    \b
    Examples:
      elrcn preprocess                                   the synthetic dataset
      elrcn preprocess --profile paper --casme2 DIR --samm DIR
    """
    manifest = session.manifest
    remarks.tell()
    stacks = session.clips(manifest)
    grey = session.clips(manifest, kind="grey")
    click.echo(f"{len(stacks)} clips: stacks {stacks.shape}, grey sequences {grey.shape}")
    click.echo(f"in {session.workspace.cache}")
    remarks.tell()


COMMANDS = {"corpus": corpus, "manifest": manifest, "preprocess": preprocess}
