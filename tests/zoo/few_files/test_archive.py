import archive


def test_many_parts(tmp_path):
    parts = [tmp_path / str(number) for number in range(100)]
    for part in parts:
        part.write_bytes(b"x")
    assert archive.read(parts) == b"x" * 100


def test_no_part():
    assert archive.read([]) == b""
