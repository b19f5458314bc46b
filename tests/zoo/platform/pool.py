"""How many workers a pool gets."""

import os


def size():
    return int(os.environ.get("OMP_NUM_THREADS", "2"))


def chunks(total):
    return [total // size()] * size()
