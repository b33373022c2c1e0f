"""One tiny corpus for every test of this folder."""

import pytest

from elrcn.config import CorpusConfig
from elrcn.databases.corpus import make_corpus

TINY = CorpusConfig(casme2_subjects=1, casme2_clips=2, samm_subjects=1, samm_clips=1, seed=5)


@pytest.fixture(scope="session")
def tiny_config():
    return TINY


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("tiny"), TINY, progress=False, workers=1)
