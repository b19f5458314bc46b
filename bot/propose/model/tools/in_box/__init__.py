"""What the tools put into a box: standard library only, Python 3.8 and later."""
