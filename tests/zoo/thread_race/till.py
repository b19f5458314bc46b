"""A till that several cashiers use at once."""

import threading


def cents(amount):
    return round(amount * 100)


class Till:
    def __init__(self):
        self.takings = 0

    def take(self, amount):
        before = self.takings
        self.takings = before + cents(amount)


def open_day(cashiers, customers):
    till = Till()

    def work():
        for _ in range(customers):
            till.take(0.5)

    threads = [threading.Thread(target=work) for _ in range(cashiers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return till.takings
