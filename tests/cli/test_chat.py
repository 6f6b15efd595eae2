"""``chat`` through a pipe and on a real terminal."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from edgecascade.conversation import Conversation
from edgecascade.errors import InputError
from edgecascade.testing import LoopbackCloud

CHAT = [sys.executable, "-m", "edgecascade", "chat", "--temperature", "0", "--max-tokens", "24"]


def talk(environment: dict[str, str], *lines: str) -> subprocess.CompletedProcess[str]:
    """Type these lines, then the end of input."""
    text = "".join(f"{line}\n" for line in lines)
    return subprocess.run(CHAT, env=environment, input=text, capture_output=True, text=True, check=False)


def test_a_conversation_with_commands(home: dict[str, str], tmp_path: Path) -> None:
    """Questions are answered in turn, commands do what help says, and the end of input leaves."""
    saved = tmp_path / "talk.json"
    done = talk(
        home, "/system Answer in one short sentence.", "What is the capital of France?", "/stats", f"/save {saved}",
        "/reset", "/stats", f"/load {saved}", "/model", "/help", "/exit", "never read",
    )  # fmt: skip

    assert done.returncode == 0
    assert "Paris" in done.stdout
    assert "1 answer, " in done.stdout
    assert "nothing was answered yet" in done.stdout
    assert "2 messages taken up" in done.stdout
    assert "/save FILE" in done.stdout
    messages = json.loads(saved.read_text())["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"]


def test_what_was_said_is_remembered(home: dict[str, str]) -> None:
    """The second question is asked with the first and its answer before it."""
    done = talk(home, "My name is Zebulon.", "What is my name?")

    assert "Zebulon" in done.stdout.splitlines()[-1]


def test_errors_do_not_end_the_conversation(home: dict[str, str], tmp_path: Path) -> None:
    """A wrong command, file or model is told, and the next line is read."""
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    done = talk(home, "/nonsense", "/load", f"/load {broken}", "/model nope", "/save /proc/none/x", "/stats")

    assert done.returncode == 0
    assert "unknown command /nonsense" in done.stderr
    assert "/load needs a file" in done.stderr
    assert "wanted a file written by /save" in done.stderr
    assert "no model is called 'nope'" in done.stderr
    assert "cannot write" in done.stderr
    assert "nothing was answered yet" in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"schema": 9, "messages": []}',
        '{"schema": 1, "messages": [{"role": "user"}]}',
        "\udcff",
        "nan",
        '{"schema": 1, "system": 5, "messages": []}',
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_conversation_is_refused(tmp_path: Path, text: str) -> None:
    """Anything that /save did not write is told as such."""
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"x\.json"):
        Conversation.load(path)


def test_a_cloud_comes_and_goes_while_one_talks(home: dict[str, str]) -> None:
    """What the device is not sure of is asked of the cloud; commands show and change who answers, and who pays."""
    environment = {name: value for name, value in home.items() if name != "EDGECASCADE_OFFLINE"}
    with LoopbackCloud("It is 391.") as cloud:
        lines = ("What is 17 times 23?", "/stats", f"/cloud {cloud.spec()}", "What is 17 times 23?", "/stats",
                 "/mode", "/mode nonsense", "/privacy never", "/budget 1calls/day", "/cloud off")  # fmt: skip
        done = talk(environment, *lines)

    assert done.returncode == 0
    assert "a cloud would be asked; none is set up" in done.stderr
    assert "It is 391." in done.stdout.splitlines()
    assert "local 1, cloud 0; $0" in done.stdout
    assert "local 1, cloud 1; $0, the price of 1 is unknown" in done.stdout
    assert "mode: prefer_on_device" in done.stdout
    assert "prefer_in_cloud" in done.stderr
    assert done.stdout.splitlines()[-3:] == ["privacy: never", "budget: 1calls/day", "cloud: (none)"]


@pytest.mark.parametrize(
    ("strict", "loose"), [("/privacy never", "/privacy redact"), ("/mode only_on_device", "/mode prefer_on_device")]
)
def test_what_was_said_while_nothing_could_leave_is_not_sent_later(
    home: dict[str, str], strict: str, loose: str
) -> None:
    """Once more may leave, the conversation begins anew, and says so; the question after it is asked alone."""
    environment = {name: value for name, value in home.items() if name != "EDGECASCADE_OFFLINE"}
    with LoopbackCloud("It is 391.") as cloud:
        lines = (f"/cloud {cloud.spec()}", strict, "/system Call me Balthasar.", "My name is Zebulon.", loose,
                 "What is 17 times 23?")  # fmt: skip
        done = talk(environment, *lines)

    (request,) = cloud.requests
    assert "17 times 23" in json.dumps(request.body)
    assert "Zebulon" not in json.dumps(request.body) and "Balthasar" not in json.dumps(request.body)
    assert done.stderr.count("stays on this device: the conversation begins anew") == 1


def test_stricter_rules_keep_the_conversation(home: dict[str, str]) -> None:
    """What was said stays in it where less may leave than before."""
    done = talk(home, "My name is Zebulon.", "/privacy never", "/mode only_on_device", "What is my name?")

    assert "Zebulon" in done.stdout.splitlines()[-1]
    assert "begins anew" not in done.stderr


def test_a_clouds_speed_is_not_told(home: dict[str, str]) -> None:
    """Tokens a second are this device's: a cloud's come in pieces."""
    environment = {name: value for name, value in home.items() if name != "EDGECASCADE_OFFLINE"}
    with LoopbackCloud("It is 391.") as cloud:
        done = talk(environment, f"/cloud {cloud.spec()}", "/mode only_in_cloud", "What is 17 times 23?", "/stats")

    assert "last answer: first token after" in done.stdout
    assert "tokens/s" not in done.stdout


def test_what_was_said_before_is_hidden_again(home: dict[str, str]) -> None:
    """The whole history passes the privacy rules at each turn, answers with the user's own words in them too."""
    environment = {name: value for name, value in home.items() if name != "EDGECASCADE_OFFLINE"}
    with LoopbackCloud("I will write to [EMAIL_1].", "Done.") as cloud:
        command = [*CHAT, "--mode", "only_in_cloud", "--cloud", cloud.spec()]
        done = subprocess.run(
            command, env=environment | {"EDGECASCADE_MODEL": "./none.gguf"}, capture_output=True, text=True,
            input="My address is ada@example.org.\nDo it.\n", check=False,
        )  # fmt: skip

    first, second = (json.dumps(request.body) for request in cloud.requests)
    assert "I will write to ada@example.org." in done.stdout
    assert "ada@example.org" not in first + second
    assert second.count("[EMAIL_1]") == 2


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
def test_ctrl_c_stops_the_answer_and_not_the_program(home: dict[str, str]) -> None:
    """On a terminal: an interrupt in mid-answer, then a question that is answered, then history on disk."""
    import pty

    command = [*CHAT[:4], "--temperature", "0", "--max-tokens", "1500", "-s", "You write endless stories."]
    main, side = pty.openpty()
    with subprocess.Popen(command, env=home, stdin=side, stdout=side, stderr=side, start_new_session=True) as child:
        os.close(side)
        screen = _until(main, b"> ")
        os.write(main, b"Write a story of ten thousand words about the sea.\n")
        screen = _until(main, b"sea.\r\n") + os.read(main, 1)
        child.send_signal(2)
        screen = _until(main, b"stopped")
        screen = _until(main, b"> ")
        os.write(main, b"/stats\n")
        screen = _until(main, b"tokens/s")
        os.write(main, b"/exit\n")
        child.wait(timeout=60)
    os.close(main)

    assert child.returncode == 0
    assert b"1 answer, " in screen
    assert "ten thousand" in (Path(home["EDGECASCADE_HOME"]) / "state" / "chat_history").read_text()


def _until(terminal: int, wanted: bytes) -> bytes:
    """Read the terminal up to these bytes; a minute of silence is a failure."""
    seen = b""
    while wanted not in seen:
        assert select.select([terminal], [], [], 60)[0], seen
        seen += os.read(terminal, 1)
    return seen
