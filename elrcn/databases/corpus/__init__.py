"""The embedded corpus: rendered faces playing action units, in the two databases' own layouts.

`make_corpus` writes it, `elrcn.databases.corpus.truth` alone reads what no real database knows.
"""

from elrcn.databases.corpus.writer import CorpusPaths, make_corpus

__all__ = ["CorpusPaths", "make_corpus"]
