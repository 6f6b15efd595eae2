"""What the documentation says is so: its code runs, its links lead somewhere, its commands exist."""

import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edgecascade.cli import main
from edgecascade.signals import SIGNALS
from edgecascade.store.manifests import read_manifest
from edgecascade.store.paths import shipped

ROOT = Path(__file__).parent.parent
GUIDES = sorted((ROOT / "docs").glob("*.md"))
PAGES = [
    path for name in ("README.md", "CONTRIBUTING.md", "bench/README.md") if (path := ROOT / name).exists()
] + GUIDES
NOTICE = "default:as built, the native library"
"""On a machine where the library crashes as built, opening a model says so in a warning, once."""


def blocks(page: Path, language: str) -> list[str]:
    """Return the page's fenced blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def name_of(value: object) -> str:
    """What a page or a command is called in the test's name."""
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)


def links(page: Path) -> list[str]:
    """Return where the page's relative links and pictures lead, without the part behind #."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose)
    return [path for target in targets if not re.match(r"\w+:", target) and (path := target.partition("#")[0])]


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words after ``edgecascade`` of every command that the page shows being typed."""
    for block in blocks(page, "console"):
        for line in re.sub(r"\\\n", " ", block).splitlines():
            if not line.startswith("$ "):
                continue
            lexer = shlex.shlex(line[2:], posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            for operator, words in itertools.groupby(lexer, lambda word: bool(word) and set(word) <= set("();<>|&")):
                plain = [*itertools.dropwhile(lambda word: re.match(r"\w+=", word), words)]
                if not operator and plain[:1] == ["edgecascade"]:
                    yield plain[1:]


def table(page: Path, heading: str) -> list[str]:
    """Return the code words in the first column of the table below a heading."""
    part = page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [name for row in re.findall(r"^\|([^|]*)\|", part, re.MULTILINE) for name in re.findall("`([^`]+)`", row)]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_every_python_block_runs(page: Path, home: dict[str, str], tmp_path: Path) -> None:
    """The blocks of a page run in order, in one namespace, without a warning."""
    script = tmp_path / f"{page.stem}.py"
    script.write_text("\n".join(blocks(page, "python")), encoding="utf-8")
    command = [sys.executable, "-W", "error", "-W", NOTICE, str(script)]
    done = subprocess.run(command, env=home, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_shipped_files_are_named_by_their_folder(page: Path) -> None:
    """In a wheel they lie elsewhere than in a checkout, and only a folder is found in both."""
    assert all(shipped(kind).is_dir() for kind in re.findall(r'shipped\("([^"]+)"\)', page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_to_files(page: Path) -> None:
    """Whoever follows a link finds something."""
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


@pytest.mark.parametrize(
    ("page", "words"), [(page, words) for page in PAGES for words in commands(page)], ids=lambda value: name_of(value)
)
def test_shown_commands_exist(page: Path, words: list[str]) -> None:
    """Each command line of ours names a command that there is, and options and arguments that it takes."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        context, (name, *words) = click.Context(command, help_option_names=["-h", "--help"]), words
        found = command.get_command(context, name)
        assert found, f"{name} is no command"
        command = found

    _, left_over, _ = command.make_parser(click.Context(command, help_option_names=["-h", "--help"])).parse_args(
        list(words)
    )

    assert left_over == []


def test_the_signals_table_is_complete() -> None:
    """The page lists exactly the signals that there are, in their order."""
    assert table(ROOT / "docs" / "engine.md", "Signals") == list(SIGNALS)


def test_our_environment_variables_are_listed() -> None:
    """Every EDGECASCADE_ name in the source stands in the table, and no other."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "edgecascade").rglob("*.py"))
    listed = {name for name in table(ROOT / "docs" / "install.md", "Environment variables") if "EDGECASCADE_" in name}

    assert listed == set(re.findall(r"\bEDGECASCADE_[A-Z_]+", source))


def test_the_manifest_shown_is_one(tmp_path: Path) -> None:
    """The example on the page is read as it stands."""
    (example,) = blocks(ROOT / "docs" / "models.md", "toml")
    (path := tmp_path / "tiny-copy.toml").write_text(example, encoding="utf-8")

    assert len(read_manifest(path).sources) == 4
