import threading


def count(threads, times):
    total, lock = [0], threading.Lock()

    def work():
        for _ in range(times):
            with lock:
                total[0] += 1

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return total[0]


def test_all_are_counted():
    assert count(8, 200) == 1600


def test_nobody():
    assert count(0, 5) == 0
