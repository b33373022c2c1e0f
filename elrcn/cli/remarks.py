"""What the loaders and preprocessing remarked, as the commands print it."""

from __future__ import annotations

import click

from elrcn.remarks import remark_line


class Remarks:
    """Prints the remarks of a session: one line with counts, or every one below it.

    Parameters
    ----------
    session : elrcn.session.Session
    whole : bool
        Print every remark.
    """

    def __init__(self, session, whole: bool = False):
        self.session, self.whole, self._told = session, whole, 0

    def tell(self) -> None:
        """Print what there is, unless nothing was added since the last time."""
        findings = self.session.findings
        if len(findings) == self._told:
            return
        self._told = len(findings)
        if self.whole:
            click.echo("\n  ".join([remark_line(findings), *map(str, findings)]))
        else:
            click.echo(f"{remark_line(findings)}; whole: add --remarks")
