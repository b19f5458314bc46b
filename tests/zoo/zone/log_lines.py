"""Lines of a log carry the moment, as people write it."""

import datetime


def stamp(seconds):
    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
