"""Exchange rates, kept in memory once they were loaded."""

_rates = {}


def load(table):
    _rates.update(table)


def rate(currency):
    if not _rates:
        load({"EUR": 1.0, "USD": 1.1, "GBP": 0.85})
    return _rates[currency]


def convert(amount, currency):
    return round(amount * rate(currency), 2)
