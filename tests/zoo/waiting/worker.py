"""A job in another process, and its answer."""

import subprocess
import sys

PROGRAM = "print(sum(number * number for number in range(4_000_000)))"


def start():
    return subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)


def answer(job, seconds):
    out, _ = job.communicate(timeout=seconds)
    return int(out)
