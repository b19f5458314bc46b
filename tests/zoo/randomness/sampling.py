"""A sample of measurements and its mean."""

import random


def noisy(value, spread=1.0):
    return random.gauss(value, spread)


def mean(count, value):
    return sum(noisy(value) for _ in range(count)) / count
