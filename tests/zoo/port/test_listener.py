import listener


def test_listen():
    with listener.listen() as server:
        assert server.getsockname()[1] == listener.PORT


def test_port_is_free_to_use():
    assert listener.PORT > 1023
