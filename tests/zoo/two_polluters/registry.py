"""Plug-ins by name; a default is chosen when there is more than one of them and one is preferred."""

plugins = {}
options = {"prefer": ""}


def register(name, make):
    plugins[name] = make


def default():
    if options["prefer"] in plugins:
        return options["prefer"]
    return "plain"
