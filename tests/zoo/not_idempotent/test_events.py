import events
import pytest


def test_subscribe():
    events.subscribe("mailer")
    assert events.count() >= 1


def test_names_are_text():
    with pytest.raises(ValueError):
        int("mailer")
