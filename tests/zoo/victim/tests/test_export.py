from shop.rates import convert


def test_dollars_on_the_invoice():
    assert f"{convert(10, 'USD'):.2f} USD" == "11.00 USD"


def test_nothing_to_pay():
    assert convert(0, "EUR") == 0
