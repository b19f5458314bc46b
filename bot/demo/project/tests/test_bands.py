import pytest

from parcels.bands import band_for, base_price


@pytest.mark.parametrize(
    ("weight", "band"),
    [(0.1, "letter"), (0.6, "small"), (1.9, "small"), (2.5, "medium"), (9.99, "medium"), (30, "large")],
)
def test_inside_a_band(weight, band):
    assert band_for(weight) == band


@pytest.mark.parametrize(("weight", "band"), [(0.5, "letter"), (2.0, "small"), (10.0, "medium")])
def test_limit_belongs_to_the_band(weight, band):
    assert band_for(weight) == band


@pytest.mark.parametrize("weight", [0, -1, -0.5])
def test_weight_must_be_positive(weight):
    with pytest.raises(ValueError, match="positive"):
        band_for(weight)


def test_too_heavy():
    with pytest.raises(ValueError, match="too heavy"):
        band_for(40)


def test_price_of_a_letter():
    assert base_price(0.2) == 185
