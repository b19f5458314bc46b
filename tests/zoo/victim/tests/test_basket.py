import pytest
from shop.rates import convert


@pytest.mark.parametrize("amount", [1, 2, 5])
def test_euros_stay(amount):
    assert convert(amount, "EUR") == amount


def test_pounds():
    assert convert(100, "GBP") == 85.0
