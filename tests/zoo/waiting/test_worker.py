import pytest
import worker


@pytest.fixture
def job():
    process = worker.start()
    yield process
    process.kill()
    process.communicate()


def test_answer(job):
    assert worker.answer(job, seconds=2.0) > 0


def test_it_starts(job):
    assert job.pid > 0
