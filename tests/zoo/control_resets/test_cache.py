import pytest

cache = {}


@pytest.fixture(autouse=True)
def empty():
    cache.clear()
    yield
    cache.clear()


def test_put():
    cache["a"] = 1
    assert cache == {"a": 1}


def test_begins_empty():
    assert cache == {}


def test_put_again():
    cache["b"] = 2
    assert list(cache) == ["b"]
