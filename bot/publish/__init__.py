"""Pure rendering of what a run came to: pull request, terminal, plain words. Nothing here posts or writes.

Every text that comes from outside goes through `untrusted` on its way in.
"""
