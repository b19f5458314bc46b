import log_lines


def test_stamp():
    assert log_lines.stamp(1_700_000_000) == "2023-11-14 22:13"


def test_a_stamp_has_a_date():
    assert log_lines.stamp(0).count("-") == 2
