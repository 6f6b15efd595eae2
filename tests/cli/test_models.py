"""``edgecascade models``, as a user types it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecascade.cli import main
from edgecascade.testing import LoopbackFiles, gguf_bytes

DATA = gguf_bytes({"general.name": "Tiny One"}, weights=1_500_000)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's home with nothing in it."""
    return tmp_path


def run(home: Path, *arguments: str, **environment: str) -> Result:
    """Run the command as that user."""
    usual = {"HOME": str(home), "USERPROFILE": str(home), "EDGECASCADE_HOME": str(home / "edge"), "HF_HOME": None}
    emptied = dict.fromkeys(("HF_HUB_CACHE", "OLLAMA_MODELS", "LLAMA_CACHE", "EDGECASCADE_OFFLINE"))
    return CliRunner().invoke(main, ["models", *arguments], env={**usual, **emptied, **environment})


def put(path: Path, data: bytes = DATA) -> Path:
    """Return the path of a file with these bytes, folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_list(home: Path) -> None:
    """Every name is there, and what other tools keep, with the path or a dash."""
    path = put(home / ".lmstudio" / "models" / "u" / "r" / "m.gguf")

    result = run(home, "list")

    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.output.splitlines()}
    assert lines["smollm2-135m"].split() == ["smollm2-135m", "135M", "Q4_1", "98", "Apache-2.0", "-"]
    assert lines["lmstudio:u/r/m.gguf"].split() == ["lmstudio:u/r/m.gguf", "2M", "F32", "6", "mit", str(path)]


def test_list_as_json(home: Path) -> None:
    """The record itself: the manifest, with path and origin."""
    records = {record["name"]: record for record in json.loads(run(home, "list", "--json").stdout)}

    assert records["smollm2-135m"]["bytes"] == 98_362_432 and records["smollm2-135m"]["path"] is None


def test_an_unreadable_file_does_not_stop_the_list(home: Path) -> None:
    """It is listed as what it is."""
    put(home / ".lmstudio" / "models" / "u" / "r" / "m.gguf", b"no")

    assert "unreadable" in run(home, "list").stdout


def test_pull_prints_the_path_and_progress_apart(home: Path) -> None:
    """The path goes to standard output, for scripts; progress to standard error, a line a tenth."""
    with LoopbackFiles({"m.gguf": DATA}) as server:
        result = run(home, "pull", server.url("m.gguf"))

    assert result.exit_code == 0 and Path(result.stdout.strip()).read_bytes() == DATA
    assert result.stderr.splitlines()[0] == "downloading m.gguf 0 % of 6 MB"
    assert result.stderr.splitlines()[-1] == "downloading m.gguf 100 % of 6 MB"


def test_show_a_file(home: Path) -> None:
    """What the header says, with the sum and the template's first line."""
    path = put(home / "m.gguf")

    shown = run(home, "show", str(path)).stdout
    record = json.loads(run(home, "show", str(path), "--json").stdout)

    assert "Tiny One" in shown and "1,500,000" in shown and "{{ messages[0].content }}" in shown
    assert (record["architecture"], record["context"], record["path"]) == ("llama", 128, str(path))
    assert len(record["sha256"]) == 64


def test_show_what_is_not_here(home: Path) -> None:
    """The manifest, and how to get the file."""
    shown = run(home, "show", "qwen3-4b").stdout

    assert "not on this device; fetch it with: edgecascade models pull qwen3-4b" in shown and "2507" in shown


def test_add_where_remove(home: Path) -> None:
    """A file gets a name, is found by it, and loses the name again; the file stays."""
    path = put(home / "My Model.gguf")

    assert run(home, "add", str(path)).stdout == "my-model\n"
    assert run(home, "where", "my-model").stdout == f"{path}\n"
    assert json.loads(run(home, "where", "my-model", "--json").stdout)["origin"] == "path"
    assert "already a name" in run(home, "add", str(path)).stderr
    assert run(home, "remove", "my-model", "--yes").exit_code == 0
    assert path.is_file() and run(home, "where", "my-model").exit_code == 3


def test_remove_asks_and_deletes_our_copy(home: Path) -> None:
    """Without a yes nothing is deleted."""
    with LoopbackFiles({"m.gguf": DATA}) as server:
        url = server.url("m.gguf")
        path = Path(run(home, "pull", url).stdout.strip())
    kept = run(home, "remove", url).exit_code, path.is_file()
    removed = run(home, "remove", url, "--yes").exit_code, path.exists()

    assert kept == (1, True) and removed == (0, False) and [left.suffix for left in path.parent.iterdir()] == [".lock"]


def test_remove_leaves_other_tools_files_alone(home: Path) -> None:
    """It says whose the file is."""
    path = put(home / ".lmstudio" / "models" / "u" / "r" / "m.gguf")

    result = run(home, "remove", "lmstudio:u/r", "--yes")

    assert result.exit_code == 3 and "not ours (LM Studio)" in result.stderr and path.is_file()


def test_where_without_a_model_is_the_folder(home: Path) -> None:
    """For scripts that look at all of them."""
    assert run(home, "where").stdout == f"{home / 'edge' / 'cache' / 'models'}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["where", "smollm2-135m"], 3, "edgecascade models pull smollm2-135m"),
        (["pull", "smolm2"], 3, "near it: smollm2"),
        (["add", "none.gguf"], 3, "cannot be read"),
        (["pull", "hf:u/r"], 4, "EDGECASCADE_OFFLINE is set"),
        (["remove", "qwen3-4b"], 3, "nothing of ours to delete"),
    ],
)
def test_errors_are_one_line_and_a_code(home: Path, arguments: list[str], code: int, message: str) -> None:
    """3: what was given. 4: what this device cannot do now."""
    result = run(home, *arguments, EDGECASCADE_OFFLINE="1")

    assert result.exit_code == code and message in result.stderr and "Traceback" not in result.output


def test_completion_knows_the_names(home: Path) -> None:
    """The shell completes what was begun."""
    words = {"COMP_WORDS": "edgecascade models pull smol", "COMP_CWORD": "3", "_EDGECASCADE_COMPLETE": "bash_complete"}
    environment = {"EDGECASCADE_HOME": str(home), "HOME": str(home), **words}

    result = CliRunner().invoke(main, [], env=environment, prog_name="edgecascade")

    assert "plain,smollm2-135m" in result.output.splitlines()


def test_a_broken_manifest_of_ones_own_spoils_nothing_else(tmp_path: Path) -> None:
    """The others are listed, it is marked, and it can be removed."""
    home = tmp_path / "home"
    mine = home / "data" / "models" / "mine.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text('schema_version = 1\nname = "mine"\nbytes = -1\n')
    runner = CliRunner(env={"EDGECASCADE_HOME": str(home)})
    listed = runner.invoke(main, ["models", "list"])
    removed = runner.invoke(main, ["models", "remove", "mine", "--yes"])

    assert listed.exit_code == 0
    assert "unreadable manifest" in listed.output
    assert "smollm2-135m" in listed.output
    assert (removed.exit_code, mine.exists()) == (0, False)
