import datetime

import alarm


def test_a_day_is_a_day():
    assert alarm.seconds_until_tomorrow() == 24 * 60 * 60


def test_an_ordinary_day():
    assert alarm.seconds_until_tomorrow(datetime.datetime(2024, 1, 15, 8)) == 86400
