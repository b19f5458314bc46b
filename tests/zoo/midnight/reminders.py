"""Reminders: later today."""

import datetime


def in_an_hour(now=None):
    return (now or datetime.datetime.now()) + datetime.timedelta(hours=1)


def is_today(moment):
    return moment.date() == datetime.date.today()
