"""Chapters of a book lie in a folder."""

import os


def chapters(folder):
    return [name for name in os.listdir(folder) if name.endswith(".txt")]


def first(folder):
    return chapters(folder)[0]
