"""The synthetic dataset: rendered faces playing action units, in the two databases' own layouts.

`make_corpus` writes it, `elrcn.corpus.truth` alone reads what no real database knows.
"""

from elrcn.corpus.write import CorpusPaths, make_corpus

__all__ = ["CorpusPaths", "make_corpus"]
