"""The day on which the next bill is due."""

import datetime


def next_month(day=None):
    day = day or datetime.date.today()
    year, month = divmod(day.year * 12 + day.month, 12)
    return day.replace(year=year, month=month + 1)
