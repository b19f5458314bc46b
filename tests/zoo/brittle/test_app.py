import app


def test_start():
    app.start(language="en")
    assert app.settings["language"] == "en"


def test_price_tag():
    assert app.price_tag(3) == "3.00 EUR"


def test_formatting():
    assert f"{1.5:.2f}" == "1.50"
