"""An alarm clock: the same time tomorrow, in seconds from now."""

import datetime
import time


def seconds_until_tomorrow(now=None):
    now = now or datetime.datetime.now()
    tomorrow = now + datetime.timedelta(days=1)
    return time.mktime(tomorrow.timetuple()) - time.mktime(now.timetuple())
