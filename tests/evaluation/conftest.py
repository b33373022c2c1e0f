import pytest
from evaluation_tasks import build_task


@pytest.fixture
def task():
    return build_task()
