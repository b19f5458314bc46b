import announce


def test_own_address():
    assert announce.own_address().count(".") == 3


def test_greeting():
    assert announce.greeting("192.0.2.1") == "http://192.0.2.1:8000/"
