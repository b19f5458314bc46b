from shop import rates


def test_a_table_can_be_loaded():
    rates.load({"EUR": 1.0, "USD": 2.0})
    assert rates.rate("USD") == 2.0


def test_a_currency_is_known():
    assert rates.rate("EUR") == 1.0
