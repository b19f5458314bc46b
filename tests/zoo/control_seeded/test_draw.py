import random


def draw(seed):
    return random.Random(seed).sample(range(100), 5)


def test_a_seed_gives_the_same_draw():
    assert draw(7) == draw(7)


def test_the_module_with_a_seed():
    random.seed(3)
    first = random.random()
    random.seed(3)
    assert random.random() == first
