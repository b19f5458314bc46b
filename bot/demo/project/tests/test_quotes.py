import pytest

from parcels.quotes import cheapest_split, quote


def test_nothing_costs_nothing():
    assert quote([]) == 0


def test_zones_add_a_surcharge():
    assert quote([1.0], "union") == 660
    assert quote([1.0], "world") == 1310


def test_ten_parcels_are_cheaper():
    assert quote([1.0] * 9) == 3690
    assert quote([1.0] * 10) == 3485


def test_unknown_zone_is_named():
    with pytest.raises(ValueError, match="unknown zone 'mars'"):
        quote([1.0], "mars")


def test_four_kilograms_travel_as_one():
    assert cheapest_split(4.0, 3) == 1


def test_twelve_kilograms_travel_as_two():
    assert cheapest_split(12.0, 3) == 2
