import pool


def test_chunks():
    assert len(pool.chunks(100)) > 1


def test_size():
    assert pool.size() >= 1
