"""`python -m codekiln` is `codekiln`."""

from codekiln.cli import main

main()
