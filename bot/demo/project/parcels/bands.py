"""Weight bands. A band's limit belongs to the band: exactly 2 kg still travels as "small"."""

BANDS = [
    ("letter", 0.5, 185),
    ("small", 2.0, 410),
    ("medium", 10.0, 690),
    ("large", 31.5, 1620),
]


def band_for(weight):
    """Name of the band for a weight in kilograms."""
    if weight <= 0:
        raise ValueError(f"weight must be positive, not {weight}")
    for name, limit, _ in BANDS:
        if weight < limit:
            return name
    raise ValueError(f"{weight} kg is too heavy: the limit is {BANDS[-1][1]} kg")


def base_price(weight):
    """Price in cents before surcharges."""
    band = band_for(weight)
    for name, _, price in BANDS:
        if name == band:
            return price
    raise LookupError(band)
