"""Settings of an application, read once at start-up."""

settings = {}


def start(**values):
    settings.update({"currency": "EUR", **values})


def price_tag(amount):
    return f"{amount:.2f} {settings['currency']}"
