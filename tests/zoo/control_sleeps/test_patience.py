import threading
import time


def test_waits_for_the_event():
    done = threading.Event()
    threading.Timer(0.05, done.set).start()
    assert done.wait(30)


def test_sleep_takes_its_time():
    began = time.monotonic()
    time.sleep(0.02)
    assert time.monotonic() - began >= 0.02
