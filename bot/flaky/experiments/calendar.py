"""Time and place: the clock at the edges of days, months and years, and the zones."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.flaky.experiments.contrast import contrast
from bot.flaky.experiments.series import Result, Series, Variant
from bot.flaky.types import Cause, RunSource
from bot.toolchains.types import Conditions

NOON = Variant("noon of 17 June 2026", Conditions(clock="2026-06-17T12:00:00"))

_CLOCKS = (
    ("half a minute before midnight", "2026-06-17T23:59:30"),
    ("half a minute past midnight", "2026-06-18T00:00:30"),
    ("noon of a month's last day", "2026-01-31T12:00:00"),
    ("noon of 30 January", "2026-01-30T12:00:00"),
    ("noon of a month's first day", "2026-06-01T12:00:00"),
    ("noon of a leap day", "2028-02-29T12:00:00"),
    ("half a minute before the year's end", "2026-12-31T23:59:30"),
    ("noon of New Year's Day", "2027-01-01T12:00:00"),
    ("noon of a Sunday", "2026-06-21T12:00:00"),
    ("noon of a Monday", "2026-06-22T12:00:00"),
)
_CHANGES = (
    # Saturday noon and the night itself: code that adds a day crosses the change, code that asks for 02:30 hits it.
    ("noon before clocks go forward in New York", "2026-03-07T12:00:00", "America/New_York"),
    ("half past one before clocks go forward in New York", "2026-03-08T01:59:30", "America/New_York"),
    ("noon before clocks go back in New York", "2026-10-31T12:00:00", "America/New_York"),
    ("the hour that comes twice in New York", "2026-11-01T01:30:00", "America/New_York"),
)
ZONES = (
    # The outermost two are a day apart at any time; Kolkata and Kathmandu are off the full hour.
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "Asia/Tokyo",
)
_FAILURES_LOOKED_AT = 3


def known_hours(series: Series) -> tuple[Variant, ...]:
    """The hours at which it failed on CI, whose machines run in UTC."""
    return tuple(
        Variant(
            f"{when:%d %B %Y, %H:%M} UTC, when it failed", Conditions(clock=f"{when:%Y-%m-%dT%H:%M:%S}", zone="UTC")
        )
        for record in series.suspect.failing[-_FAILURES_LOOKED_AT:]
        if record.source is RunSource.CI
        for when in (datetime.fromtimestamp(record.at, UTC),)
    )


def calendar_edges() -> tuple[Variant, ...]:
    """The edges of days, months and years, and the changes of the clock in one zone that has them."""
    edges = [Variant(label, Conditions(clock=clock)) for label, clock in _CLOCKS]
    edges += [Variant(label, Conditions(clock=clock, zone=zone)) for label, clock, zone in _CHANGES]
    return tuple(edges)


def time(series: Series) -> Result:
    """The clock put to the hours of known failures, then to the edges of the calendar, against an ordinary noon."""
    edges, known = calendar_edges(), known_hours(series)
    result = contrast(series, Cause.TIME, [*edges, *known], usual=(NOON,))
    if isinstance(result, tuple) and result[0].trials[0].conditions.zone:
        # A zone alone may be the cause: then its noon fails as well, and time proves nothing.
        zone = result[0].trials[0].conditions.zone
        calm = Variant(f"noon of 17 June 2026 in {zone}", Conditions(clock="2026-06-17T12:00:00", zone=zone))
        failing = [each for each in (*edges, *known) if each.conditions == result[0].trials[0].conditions]
        return contrast(series, Cause.TIME, failing, usual=(calm,))
    return result


def zone(series: Series) -> Result:
    """The same test in zones all around the world, against UTC; some have another date at any moment."""
    zones = [Variant(f"TZ={name}", Conditions(zone=name)) for name in ZONES]
    return contrast(series, Cause.ZONE, zones, usual=(Variant("TZ=UTC", Conditions(zone="UTC")),))
