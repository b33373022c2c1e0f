"""One tiny corpus for every test of this folder."""

import hashlib

import pytest

from elrcn.config import CorpusConfig
from elrcn.corpus import make_corpus

TINY = CorpusConfig(casme2_subjects=1, casme2_clips=2, samm_subjects=1, samm_clips=1, seed=5)


@pytest.fixture(scope="session")
def tiny_config():
    return TINY


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("tiny"), TINY, progress=False, workers=1)


def digest(root):
    """SHA-256 of every file but hidden ones, which were set aside or left by a killed process."""
    files = [(p, p.relative_to(root)) for p in sorted(root.rglob("*")) if p.is_file()]
    return {
        rest.as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p, rest in files
        if not any(part.startswith(".") for part in rest.parts)
    }


@pytest.fixture(scope="session")
def tiny_digest(tiny_corpus):
    return digest(tiny_corpus.root)


@pytest.fixture(scope="session")
def digest_of():
    return digest
