"""A contract runs for a year."""

import datetime


def ends(start=None):
    start = start or datetime.date.today()
    return start.replace(year=start.year + 1)
