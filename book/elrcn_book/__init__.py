"""The book's own package: what its pages share, and what executes, seals and builds them.

A page begins with ``page = Page("table1", session)``; see `elrcn_book.show`. The library never
imports this package.
"""

from elrcn_book.show import Page

__all__ = ["Page"]
