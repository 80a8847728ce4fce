"""`python -m jobcancel`: the command line, where the console script is not on the path."""

from __future__ import annotations

from jobcancel.cli import main

main()
