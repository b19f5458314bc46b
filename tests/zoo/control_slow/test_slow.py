def primes(limit):
    sieve = [True] * limit
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = [False] * len(sieve[number * number :: number])
    return [number for number in range(2, limit) if sieve[number]]


def test_many_primes():
    assert len(primes(1_000_000)) == 78498


def test_few_primes():
    assert primes(10) == [2, 3, 5, 7]
