"""Tells others at which address this machine can be reached."""

import socket


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.7", 9))  # sends nothing: asks for the way there
        return probe.getsockname()[0]


def greeting(address):
    return f"http://{address}:8000/"
