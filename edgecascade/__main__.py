"""``python -m edgecascade``."""

from edgecascade.cli import main

if __name__ == "__main__":
    main()
