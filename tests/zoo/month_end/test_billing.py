import datetime

import billing


def test_due_next_month():
    today = datetime.date.today()
    assert billing.next_month() > today


def test_over_the_year():
    assert billing.next_month(datetime.date(2023, 12, 5)) == datetime.date(2024, 1, 5)
