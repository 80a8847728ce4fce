"""`python -m jobcancel`: the command line, for when the console script is not on the PATH."""

from __future__ import annotations

from jobcancel.cli import main

main()
