import sampling


def test_mean_is_near():
    assert abs(sampling.mean(25, 10.0) - 10.0) < 0.2


def test_no_spread():
    assert sampling.noisy(3.0, 0.0) == 3.0
