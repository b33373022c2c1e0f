"""The one exception a user's mistake raises."""


class ElrcnError(Exception):
    """A mistake the user can mend: what is wrong, where, and what to change.

    The command line prints it as one message without a traceback and exits with code 2.

    Parameters
    ----------
    what : str
        What is wrong, in one sentence.
    where : str or path-like, optional
        The file, folder, row or option concerned.
    fix : str, optional
        What the user should change.
    """

    exit_code = 2

    def __init__(self, what, where=None, fix=None):
        self.what, self.where, self.fix = str(what), where, fix
        super().__init__(what, where, fix)

    def __str__(self):
        lines = [self.what]
        if self.where is not None:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  to do: {self.fix}")
        return "\n".join(lines)
