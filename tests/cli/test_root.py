"""What all commands share."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from edgecascade.cli import main


@pytest.mark.parametrize(
    "name", [None, *sorted(main.commands), "bench decode", "models list", "models pull", "ledger tail", "config show"]
)
def test_every_command_explains_itself(name: str | None) -> None:
    """-h and --help print the same, with a sentence that says what the command does."""
    words = name.split() if name else []
    short, long = CliRunner().invoke(main, [*words, "-h"]), CliRunner().invoke(main, [*words, "--help"])

    assert short.exit_code == long.exit_code == 0
    assert short.output == long.output
    assert len(short.output.splitlines()) > 3


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(shell: str) -> None:
    """Each shell gets a script that calls us back."""
    done = CliRunner().invoke(main, ["completion", shell])

    assert done.exit_code == 0
    assert "_EDGECASCADE_COMPLETE" in done.output


def test_model_names_are_completed() -> None:
    """`ask -m smo<TAB>` offers the names that begin so."""
    code = "from edgecascade.cli import main; main(prog_name='edgecascade')"
    environment = {
        "_EDGECASCADE_COMPLETE": "bash_complete",
        "COMP_WORDS": "edgecascade ask -m smollm2-1",
        "COMP_CWORD": "3",
        "HOME": "/nonexistent",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert "smollm2-135m" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
@pytest.mark.parametrize(("variable", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)])
def test_no_color_is_honoured(variable: dict[str, str], coloured: bool) -> None:
    """On a terminal an error is red, unless NO_COLOR is set to something."""
    import pty

    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | variable
    main_end, side = pty.openpty()
    command = [sys.executable, "-m", "edgecascade", "ask", ""]
    with subprocess.Popen(command, env=environment, stdin=side, stdout=side, stderr=side):
        os.close(side)
        seen = b""
        while b"word" not in seen:
            seen += os.read(main_end, 1024)
    os.close(main_end)

    assert (b"\x1b[31m" in seen) is coloured
