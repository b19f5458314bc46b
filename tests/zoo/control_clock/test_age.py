import datetime


def age(born, today):
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def test_age_on_a_given_day():
    assert age(datetime.date(2000, 2, 29), datetime.date(2023, 3, 1)) == 23


def test_today_is_not_before_yesterday():
    now = datetime.datetime.now(datetime.UTC)
    assert now - datetime.timedelta(days=1) < now
