"""`python -m bot`: the same command line as the `grokfix` script."""

from bot.cli import main

raise SystemExit(main())
