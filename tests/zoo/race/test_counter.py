import time

import counter
import pytest


@pytest.mark.parametrize("times", range(15, 19))
def test_visits_are_counted(times):
    counter.reset()
    for _ in range(times):
        counter.visit()
        time.sleep(0.01)
    assert counter.visits() == times
