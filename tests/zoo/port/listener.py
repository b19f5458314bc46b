"""A listener at a fixed port of this machine."""

import socket

PORT = 28471


def listen():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1", PORT))
    except OSError:
        server.close()
        raise
    server.listen()
    return server
