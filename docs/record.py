"""Makes terminal.svg from a real session on a pseudo-terminal: python docs/record.py"""

import os
import pty
import select
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

SESSION = [
    ('edgecascade ask "What is the capital of France?"', ""),
    ('edgecascade ask --samples 4 --seed 1 "What is the capital of Italy?"', ""),
    ('edgecascade ask "How many days are in a leap year?"', ""),
    ("edgecascade chat --temperature 0", "What is a volcano?\n/stats\n/exit\n"),
]
WIDTH = 110


def run(command: str, typed: str) -> str:
    """Return what the terminal showed."""
    words = [sys.executable, "-m", *shlex.split(command)]
    environment = os.environ | {"COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    main, side = pty.openpty()
    seen = b""
    with subprocess.Popen(
        words, stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True
    ) as child:
        os.close(side)
        lines = typed.encode().splitlines(keepends=True)
        while child.poll() is None or select.select([main], [], [], 0)[0]:
            if lines and seen.rstrip(b"\x1b[?2004h").endswith(b"> "):
                os.write(main, lines.pop(0))
            if not select.select([main], [], [], 0.5)[0]:
                continue
            try:
                seen += os.read(main, 1024)
            except OSError:
                break
    os.close(main)
    return seen.decode().replace("\r\n", "\n").replace("\x1b[?2004h", "").replace("\x1b[?2004l", "")


def main() -> None:
    """Record the session."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    for command, typed in SESSION:
        console.print(Text(f"$ {command}", style="bold"))
        console.print(Text.from_ansi(run(command, typed).strip()))
        console.print()
    console.save_svg(str(Path(__file__).parent / "terminal.svg"), title="edgecascade")


if __name__ == "__main__":
    main()
