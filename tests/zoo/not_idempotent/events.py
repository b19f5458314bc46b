"""Listeners of events: each may subscribe once."""

_listeners = []


def subscribe(listener):
    if listener in _listeners:
        raise ValueError(f"{listener} is subscribed already")
    _listeners.append(listener)


def count():
    return len(_listeners)
