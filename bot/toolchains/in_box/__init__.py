"""What runs inside the box: standard library only, Python 3.8 and later, imported there as `grokfix_in_box`."""
