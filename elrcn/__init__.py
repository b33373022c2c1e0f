"""ELRCN: an executable edition of Khor, See, Phan and Lin (2018), arXiv 1805.08417."""

__version__ = "0.2.0"
