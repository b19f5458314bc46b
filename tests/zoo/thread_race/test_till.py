import till


def test_one_cashier():
    assert till.open_day(1, 20) == 1000


def test_several_cashiers():
    assert till.open_day(4, 20) == 4000
