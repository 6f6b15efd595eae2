"""The command line. A command parses, calls one library function and prints.

Exit codes: 0 ok, 2 wrong usage, 3 bad input, 4 the device cannot, 130 interrupted. Nothing heavy is imported before a
command runs.
"""

from edgecascade.cli.root import main

__all__ = ["main"]
