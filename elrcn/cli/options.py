"""Options that several commands share, and what they describe: a session, weights to start from."""

from __future__ import annotations

import functools

import click

from elrcn.config import PROFILES

# fmt: off
profile = click.option("--profile", default="demo", show_default=True,
                       help=f"Sizes and training settings: {', '.join(PROFILES)}.")
casme2 = click.option("--casme2", default="", metavar="DIR",
                      help="Your CASME II folder (else ELRCN_CASME2, else the synthetic dataset).")
samm = click.option("--samm", default="", metavar="DIR",
                    help="Your SAMM folder (else ELRCN_SAMM, else the synthetic dataset).")
workers = click.option("--workers", default=0, show_default="this machine's choice",
                       type=click.IntRange(min=0),
                       help="Clips or folds at once; results do not depend on it.")
# fmt: on
device = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
yes = click.option("--yes", is_flag=True, help="Start even if it will take days on this machine.")


class Remarks:
    """Prints the remarks of a session: one line with counts, or every one below it if `whole`."""

    def __init__(self, session, whole: bool = False):
        self.session, self.whole, self._told = session, whole, 0

    def tell(self) -> None:
        """Print what there is, unless nothing was added since the last time."""
        from elrcn.manifest import remark_line

        findings = self.session.findings
        if len(findings) == self._told:
            return
        self._told = len(findings)
        if self.whole:
            click.echo("\n  ".join([remark_line(findings), *map(str, findings)]))
        else:
            click.echo(f"{remark_line(findings)}; whole: add --remarks")


def session_options(command):
    """Add the options that describe a `elrcn.session.Session` and pass it as ``session``.

    What it remarks is passed along as ``remarks``, a `Remarks`.
    """

    @profile
    @casme2
    @samm
    @workers
    @click.option("--seed", default=0, show_default=True, help="Seed of every random choice.")
    @device
    @click.option("--quiet", is_flag=True, help="No progress bars.")
    @click.option("--remarks", is_flag=True,
                  help="Print every remark on the data, not their number alone.")  # fmt: skip
    @functools.wraps(command)
    def wrapped(profile, casme2, samm, workers, seed, device, quiet, remarks, **rest):
        from elrcn.session import Session

        session = Session(profile, casme2, samm, workers, seed, device, progress=not quiet)
        return command(session=session, remarks=Remarks(session, remarks), **rest)

    return wrapped


def weights_options(command):
    """Add the options on what ELRCN-TE starts from: ``start``, an `elrcn.experiments.Options`."""

    @click.option("--pretrained", default="auto", show_default=True,
                  help="What ELRCN-TE starts from: vggface, synthetic (faces learned here), none; "
                  "auto: vggface in the profile paper, else synthetic.")  # fmt: skip
    @click.option("--vggface", default="", metavar="FILE",
                  help="VGG-Face weights in any known format (else ELRCN_VGGFACE).")  # fmt: skip
    @click.option("--channel-order", default="auto", show_default=True,
                  help="Channels that the file's network takes: auto, rgb or bgr.")  # fmt: skip
    @functools.wraps(command)
    def wrapped(pretrained, vggface, channel_order, **rest):
        from elrcn.experiments import Options

        return command(start=Options(pretrained, vggface, channel_order), **rest)

    return wrapped
