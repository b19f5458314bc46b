import datetime

import reminders


def test_in_an_hour_is_today():
    assert reminders.is_today(reminders.in_an_hour())


def test_from_a_given_moment():
    noon = datetime.datetime(2024, 5, 6, 12)
    assert reminders.in_an_hour(noon).hour == 13
