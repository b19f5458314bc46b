"""Quotes for whole shipments."""

from parcels.bands import base_price

ZONES = {"domestic": 0, "union": 250, "world": 900}


def quote(weights, zone="domestic"):
    """Price in cents for parcels of the given weights; ten or more get 15 % off."""
    if zone not in ZONES:
        raise ValueError(f"unknown zone {zone!r}; choose one of {', '.join(ZONES)}")
    total = sum(base_price(weight) + ZONES[zone] for weight in weights)
    if len(weights) >= 10:
        total = total * 85 // 100
    return total


def cheapest_split(weight, parts):
    """Split a weight into equal parts where that is cheaper; returns the number of parcels."""
    best, best_price = 1, quote([weight])
    for count in range(2, parts + 1):
        price = quote([weight / count] * count)
        if price < best_price:
            best, best_price = count, price
    return best
