"""The book's own package: what its pages share, and what executes, seals and builds them.

A page begins with ``page = Page("table1", session)``; see `elrcn_book.show`. The library never
imports this package.
"""

__all__ = ["Page", "Terminal"]


def __getattr__(name: str):
    # The commands must be able to say which packages are missing before any of them is imported.
    if name == "Page":
        from elrcn_book.show import Page as found
    elif name == "Terminal":
        from elrcn_book.terminal import Terminal as found
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found
