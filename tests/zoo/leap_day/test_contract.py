import datetime

import contract


def test_a_contract_of_today():
    assert contract.ends().month == datetime.date.today().month


def test_a_known_contract():
    assert contract.ends(datetime.date(2023, 3, 1)) == datetime.date(2024, 3, 1)
