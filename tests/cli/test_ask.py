"""``ask`` as people run it: a process of its own, the real default model."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgecascade.testing import LoopbackCloud, LoopbackFiles, Mishap, Reply, fault, gguf_bytes

SYSTEM = "You are a helpful assistant. Answer in one short sentence."
HARD = "What is 17 times 23?"
"""The default model gets it wrong, and is not sure."""


def run(environment: dict[str, str], *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [sys.executable, "-m", "edgecascade", *words]
    return subprocess.run(
        command, env=environment, input=text, stdin=None if text else subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def online(home: dict[str, str], **more: str) -> dict[str, str]:
    """Return the environment with a network."""
    return {name: value for name, value in home.items() if name != "EDGECASCADE_OFFLINE"} | more


def without_a_model(home: dict[str, str], **more: str) -> dict[str, str]:
    """Return the environment with a network, and no model on this device."""
    return online(home, EDGECASCADE_MODEL="./none.gguf", **more)


def test_an_answer_and_what_it_is_worth_under_it(home: dict[str, str]) -> None:
    """Standard output is the answer alone; the lines beside it name tier, p_correct and speed, and the promise."""
    done = run(home, "ask", "-s", SYSTEM, "What is the capital of France?")

    assert done.returncode == 0
    assert done.stdout.strip() == "The capital of France is Paris."
    line, promise = done.stderr.splitlines()
    assert line.startswith("local · ")
    assert "p_correct 0." in line
    assert "tokens/s" in line
    assert promise.startswith("Of the answers kept on this device at most ")


def test_without_a_calibration_that_holds_nothing_is_called_p_correct(home: dict[str, str]) -> None:
    """Drawn tokens refuse the fitted file: p_correct is null, the reason is told, and the line says not calibrated."""
    question = ("--temperature", "0.7", "--seed", "1", "What is the capital of France?")
    record = json.loads(run(home, "ask", "--json", *question).stdout)
    lines = run(home, "ask", *question).stderr

    assert (record["p_correct"], record["threshold"], record["promise"]) == (None, None, None)
    assert record["calibration"]["verdict"] == "refused"
    assert "another sampler" in record["calibration"]["reason"]
    assert "mean token probability 0." in lines and "(not calibrated)" in lines
    assert "no promise: another sampler" in lines


def test_a_sure_answer_is_worth_more_than_a_wrong_one(home: dict[str, str]) -> None:
    """The model knows a capital, and not a product: the estimate says so."""
    capital, product = (
        json.loads(run(home, "ask", "--json", "-s", SYSTEM, question).stdout)
        for question in ("What is the opposite of hot?", "What is 17 times 23?")
    )

    assert product["text"] == "17 times 23 is 321." or "391" in product["text"]
    assert capital["p_correct"] > 0.5 > product["p_correct"]


def test_choices_are_looked_at_twice(home: dict[str, str]) -> None:
    """--choice lists the texts with letters; the second look is among the signals. One choice is none."""
    words = ("ask", "--json", "Which of these is an animal?")
    record = json.loads(run(home, *words, "--choice", "a dog", "--choice", "a stone").stdout)
    lonely = run(home, *words, "--choice", "a dog")

    assert record["signals"]["looked_again"] == 1
    assert lonely.returncode == 3
    assert "wanted 2 to 26 different texts" in lonely.stderr


def test_another_risk_is_another_threshold(home: dict[str, str]) -> None:
    """--epsilon takes another rung of the ladder, certified or not; one that is not there is refused with all."""
    words = ("ask", "--json", "What is the capital of France?")
    own, strict = (json.loads(run(home, *words, *more).stdout) for more in ((), ("--epsilon", "0.01")))
    unknown = run(home, *words, "--epsilon", "0.123")

    assert own["promise"] and strict["promise"] is strict["threshold"] is None
    assert strict["calibration"]["reason"].startswith("nothing certified")
    assert strict["p_correct"] == own["p_correct"]
    assert unknown.returncode == 3
    assert "no certificate for epsilon 0.123: found 0.005" in unknown.stderr


def test_json_is_the_whole_record(home: dict[str, str]) -> None:
    """One line of JSON with every promised key; the calibration says which file was asked, and that it holds."""
    done = run(home, "ask", "--json", "-s", SYSTEM, "What is the capital of France?")

    record = json.loads(done.stdout)
    assert set(record) == {
        "id", "text", "tier", "model", "p_correct", "mean_token_probability", "reason", "finish_reason", "usage",
        "timings", "signals", "threshold", "promise", "calibration", "kept", "code", "blocked", "queued", "usd",
        "joules", "tool_calls", "trace", "attempts",
    }  # fmt: skip
    assert 0 < record["p_correct"] < 1
    assert 0 < record["threshold"] < 1
    assert set(record["calibration"]) == {"id", "verdict", "reason"}
    assert record["calibration"]["verdict"] == "fresh"
    assert record["tier"] == "local"
    assert set(record["usage"]) == {"prompt_tokens", "completion_tokens", "told"}
    assert set(record["timings"]) == {"load_s", "ttft_s", "prefill_tps", "decode_tps", "total_s"}
    assert 0 < record["mean_token_probability"] <= 1
    assert record["signals"]["mean_token_probability"] == pytest.approx(record["mean_token_probability"])


@pytest.mark.parametrize("words", [["ask"], ["ask", "-"]])
def test_a_question_may_come_from_standard_input(home: dict[str, str], words: list[str]) -> None:
    """Piped text is the question."""
    done = run(home, *words, "-s", SYSTEM, "--no-stream", text="What is the capital of France?\n")

    assert "Paris" in done.stdout


def test_samples_are_listed_with_their_agreement(home: dict[str, str]) -> None:
    """K samples stand beside the answer; the share that agree, and how far it lies from them, are signals."""
    done = run(home, "ask", "-s", SYSTEM, "--json", "--samples", "3", "--seed", "1", "What is the capital of France?")

    record = json.loads(done.stdout)
    assert len(record["samples"]) == 3
    assert record["signals"]["agreement"] in (1 / 3, 2 / 3, 1.0)
    assert 0 <= record["signals"]["sample_distance"] <= 4
    assert "Paris" in record["text"]


def test_a_schema_shapes_the_answer(home: dict[str, str], tmp_path: Path) -> None:
    """--schema FILE gives JSON of that schema."""
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}')
    done = run(home, "ask", "--schema", str(schema), "How many days has a week?")

    assert isinstance(json.loads(done.stdout)["n"], int)


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["ask", ""], 3, "the question is empty"),
        (["ask", "--temperature", "-1", "x"], 3, "temperature = -1.0"),
        (["ask", "--max-tokens", "0", "x"], 3, "max_tokens = 0"),
        (["ask", "-m", "smollm2-135", "x"], 3, "smollm2-135m"),
        (["ask", "-m", "./nothing.gguf", "x"], 3, "nothing.gguf"),
        (["ask", "-m", __file__, "x"], 3, "GGUF"),
        (["ask", "--schema", __file__, "x"], 3, "not JSON"),
        (["ask", "--schema", "/nothing/there.json", "x"], 2, "there.json"),
        (["ask", "--template", "{% for", "x"], 3, "not valid Jinja"),
        (["ask", "--template", "nosuch", "x"], 3, "no chat format"),
        (["ask", "--template", "{{ 1 / 0 }}", "x"], 3, "ZeroDivisionError"),
        (["ask", "--template", "{# nothing #}", "x"], 3, "empty prompt"),
        (["ask", "--temperature", "1e-46", "x"], 3, "0.001"),
        (["ask", "-m", "x" * 5000, "x"], 4, "too long"),
        (["ask", "-m", "a/" + "x" * 5000, "x"], 4, "too long"),
        (["ask", "-m", "https://[bad/a.gguf", "x"], 3, "bad"),
        (["ask", "--context", "64", "word " * 99], 3, "context holds 64"),
        (["ask", "--samples", "0", "x"], 2, "--samples"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(home: dict[str, str], words: list[str], code: int, named: str) -> None:
    """Every wrong input has its own message, no traceback, nothing on standard output."""
    done = run(home, *words)

    assert (done.returncode, done.stdout) == (code, "")
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_is_not_here_cannot_be_had_offline(home: dict[str, str]) -> None:
    """Without a network the message says so, and the exit code is 4."""
    done = run(home, "ask", "-m", "qwen3-0.6b", "x")

    assert done.returncode == 4
    assert "EDGECASCADE_OFFLINE" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_ends_the_answer_and_says_so(home: dict[str, str]) -> None:
    """An interrupt during the answer keeps what was written, prints its line, and exits with 130."""
    words = ["ask", "--max-tokens", "2000", "-s", "You write endless stories.", "Write a story of ten thousand words."]
    with subprocess.Popen(
        [sys.executable, "-m", "edgecascade", *words], env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        first = child.stdout.read(1)
        child.send_signal(signal.SIGINT)
        rest, said = child.stdout.read(), child.stderr.read().decode()

    assert child.returncode == 130
    assert first + rest
    assert "local · " in said
    assert "Traceback" not in said


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_stops_a_download_which_then_resumes(home: dict[str, str]) -> None:
    """An interrupt while the model comes ends the program at once with 130; the next run asks for the rest alone."""
    environment = {name: value for name, value in home.items() if name != "EDGECASCADE_OFFLINE"}
    with LoopbackFiles({"tiny.gguf": gguf_bytes(weights=500_000)}) as server:
        server.expect(Mishap(hold_after=1_200_000))
        command = [sys.executable, "-m", "edgecascade", "ask", "-m", server.url("tiny.gguf"), "x"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as child:
            assert child.stderr is not None
            while " 50 %" not in child.stderr.readline():
                assert child.poll() is None
            child.send_signal(signal.SIGINT)
            said = child.stderr.read()
        server.release()
        run(environment, "models", "pull", server.url("tiny.gguf"))

    assert child.returncode == 130
    assert "Traceback" not in said
    assert server.requests[-1].headers["range"].startswith("bytes=")


def test_known_bytes_keep_their_system_message_under_any_name(home: dict[str, str], model_path: Path) -> None:
    """By path, without -s, the default model answers as by its name; -s "" takes the message away."""
    by_path = run(home, "ask", "-m", str(model_path), "What is the capital of France?")
    without = run(home, "ask", "-m", str(model_path), "-s", "", "--max-tokens", "12", "What is the capital of France?")

    assert by_path.stdout.strip() == "The capital of France is Paris."
    assert without.stdout.strip() != by_path.stdout.strip()


def test_a_home_that_cannot_be_written_is_lived_with(home: dict[str, str]) -> None:
    """Where nothing can be remembered the answer comes all the same."""
    done = run(home | {"EDGECASCADE_HOME": "/proc/nope"}, "ask", "-s", SYSTEM, "What is the capital of France?")

    assert (done.returncode, "Paris" in done.stdout) == (0, True)


def test_undecoded_bytes_are_read_as_text(home: dict[str, str]) -> None:
    """An argument that the terminal did not decode is a question all the same."""
    command = [sys.executable.encode(), b"-m", b"edgecascade", b"ask", b"--max-tokens", b"2", b"Say \xff or \xc3\xa9"]
    done = subprocess.run(
        command, env=home | {"LC_ALL": "C"}, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_a_full_device_is_one_line(home: dict[str, str]) -> None:
    """Where the answer cannot be written the exit code is 4, without a traceback."""
    command = [sys.executable, "-m", "edgecascade", "ask", "--no-stream", "--max-tokens", "4", "x"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, env=home, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


def test_what_the_device_is_not_sure_of_is_asked_of_the_cloud(home: dict[str, str]) -> None:
    """Standard output, a pipe, holds the cloud's answer alone; standard error says why, how long, and for how much."""
    with LoopbackCloud("It is 391.") as cloud:
        done = run(online(home), "ask", "--cloud", cloud.spec(model="large"), HARD)

    handed_off, line = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (0, "It is 391.\n")
    assert handed_off.startswith("↪ asking 127.0.0.1:")
    assert line.startswith("cloud · large · escalated: ")
    assert line.endswith(" s · price unknown")


def test_without_a_cloud_it_is_told_that_one_would_be_asked(home: dict[str, str]) -> None:
    """What is not kept is answered all the same, with what would have happened and how a cloud is set up."""
    done = run(home, "ask", HARD)

    assert done.stdout.startswith("17 times 23 is")
    assert "(not kept, below 0." in done.stderr
    assert "a cloud would be asked; none is set up (--cloud openai:MODEL, or edgecascade config init)" in done.stderr


def test_a_cloud_alone_needs_no_model(home: dict[str, str]) -> None:
    """--mode only_in_cloud opens no model, and OPENAI_BASE_URL is where openai:MODEL goes, with its key."""
    with LoopbackCloud("It is 391.") as cloud:
        environment = without_a_model(home, OPENAI_BASE_URL=cloud.base_url(), OPENAI_API_KEY="sk-test")
        done = run(environment, "ask", "--mode", "only_in_cloud", "--cloud", "openai:large", HARD)

    assert done.stdout == "It is 391.\n"
    assert done.stderr.startswith("cloud · large · mode only_in_cloud · ")
    assert cloud.requests[0].headers["authorization"] == "Bearer sk-test"


def test_a_refused_key_is_told_without_it(home: dict[str, str]) -> None:
    """The message names the variable and not the key; the exit code is 4."""
    with LoopbackCloud(Reply("Incorrect API key provided", status=401)) as cloud:
        environment = without_a_model(home, OPENAI_BASE_URL=cloud.base_url(), OPENAI_API_KEY="sk-secret-1234")
        done = run(environment, "ask", "--mode", "only_in_cloud", "--cloud", "openai:large", HARD)

    assert (done.returncode, done.stdout) == (4, "")
    assert "OPENAI_API_KEY" in done.stderr
    assert "sk-secret-1234" not in done.stderr


def test_a_card_number_stays_here(home: dict[str, str]) -> None:
    """A kind that the config never lets leave: the device answers, marked as blocked, and nothing was sent."""
    config = Path(home["EDGECASCADE_HOME"]) / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[privacy.kinds]\ncard = "never"\n')
    with LoopbackCloud("Never.") as cloud:
        done = run(online(home), "ask", "--cloud", cloud.spec(), f"My card is 4111 1111 1111 1111. {HARD}")

    assert done.stdout.strip() not in ("", "Never.")
    assert "blocked: card in a message of the user, which the rules never let leave the device" in done.stderr
    assert cloud.requests == []


def test_a_spent_budget_leaves_the_local_answer(home: dict[str, str]) -> None:
    """No call is made beyond the budget; the device's answer comes with the reason."""
    with LoopbackCloud("Never.") as cloud:
        done = run(online(home), "ask", "--cloud", cloud.spec(), "--budget", "0calls/day", HARD)

    assert done.stdout.startswith("17 times 23 is")
    assert "budget: the budget of 0 calls a day does not allow it" in done.stderr
    assert "\nraise it, or wait until " in done.stderr
    assert cloud.requests == []


def test_an_unknown_price_under_a_budget_says_where_it_is_set(home: dict[str, str]) -> None:
    """The setting's own name stands in the line after, to be copied."""
    with LoopbackCloud("Never.") as cloud:
        done = run(online(home), "ask", "--cloud", cloud.spec(), "--budget", "1usd/day", HARD)

    assert "budget: the price of " in done.stderr
    assert '\nset its price, or a budget in calls; a price is set as [prices."127.0.0.1:' in done.stderr
    assert cloud.requests == []


def test_how_a_cloud_failed_is_told_once(home: dict[str, str]) -> None:
    """The whole sentence when the device takes over, and one word in the line under its answer."""
    with LoopbackCloud.refusing() as nobody:
        done = run(online(home), "ask", "--mode", "prefer_in_cloud", "--cloud", nobody.spec(), HARD)

    handed_off, line = done.stderr.splitlines()[:2]
    assert handed_off.startswith("↪ this device answers: ")
    assert handed_off.removeprefix("↪ this device answers: ") not in line
    assert line.endswith(" · offline")


@pytest.mark.skipif(os.name == "nt", reason="POSIX folders")
@pytest.mark.parametrize("mode", ["prefer_on_device", "only_on_device", "prefer_in_cloud"])
@pytest.mark.parametrize("damaged", [True, False])
def test_without_a_ledger_the_device_answers_alone(home: dict[str, str], mode: str, damaged: bool) -> None:
    """What leaves must be written down: where that cannot be, no cloud is asked, one note says so, and all goes on."""
    path = Path(home["EDGECASCADE_HOME"]) / "state" / "ledger.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xa5" * 8192) if damaged else path.mkdir()
    with LoopbackCloud("Never.") as cloud:
        words = ("--mode", mode, "--cloud", cloud.spec(), "--budget", "1usd/day")
        done = run(online(home, EDGECASCADE_QUEUE="true"), "ask", *words, HARD)

    assert (done.returncode, done.stdout[:15]) == (0, "17 times 23 is "), done.stderr
    assert done.stderr.count("note: ") == done.stderr.count("no cloud is asked, and answers are not written") == 1
    assert "none is set up" not in done.stderr
    assert cloud.requests == []


def test_without_a_ledger_a_cloud_alone_cannot_answer(home: dict[str, str]) -> None:
    """Where only a cloud may answer, that is an error, and nothing is sent."""
    path = Path(home["EDGECASCADE_HOME"]) / "state" / "ledger.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xa5" * 8192)
    with LoopbackCloud("Never.") as cloud:
        done = run(without_a_model(home), "ask", "--mode", "only_in_cloud", "--cloud", cloud.spec(), HARD)

    assert (done.returncode, done.stdout) == (4, "")
    assert "damaged" in done.stderr
    assert cloud.requests == []


def test_samples_are_the_devices(home: dict[str, str]) -> None:
    """Beside a cloud's answer there are none, and that is said."""
    with LoopbackCloud("It is 391.") as cloud:
        done = run(online(home), "ask", "--samples", "2", "--cloud", cloud.spec(), HARD)

    assert done.stdout == "It is 391.\n"
    assert "samples are drawn on the device, and were left out" in done.stderr
    assert "samples agree" not in done.stderr


def test_without_a_key_the_device_answers(home: dict[str, str]) -> None:
    """The variable that is missing is named; where only a cloud may answer, that is an error."""
    environment = {name: value for name, value in online(home).items() if name != "OPENAI_API_KEY"}
    words = ("ask", "--cloud", "openai:gpt-4o-mini")
    done, alone = run(environment, *words, HARD), run(environment, *words, "--mode", "only_in_cloud", HARD)

    assert (done.returncode, done.stdout[:15]) == (0, "17 times 23 is ")
    assert (alone.returncode, alone.stdout) == (3, "")
    assert "OPENAI_API_KEY" in done.stderr and "OPENAI_API_KEY" in alone.stderr
    assert "none is set up" not in done.stderr


def test_an_answer_that_takes_too_long_is_no_interrupt(home: dict[str, str]) -> None:
    """--deadline ends with 4 where nothing was said in time, not with Ctrl-C's 130."""
    with LoopbackCloud(fault.hangs()) as cloud:
        words = ("--mode", "only_in_cloud", "--cloud", cloud.spec(), "--deadline", "0.2")
        done = run(without_a_model(home), "ask", *words, HARD)

    assert done.returncode == 4
    assert "0.2 s" in done.stderr


@pytest.mark.parametrize(("on_break", "again"), [("retry", "It is three hundred."), ("continue", " hundred.")])
def test_a_pipe_gets_an_answer_that_broke_off_once(home: dict[str, str], on_break: str, again: str) -> None:
    """Asked again or gone on with, standard output holds the whole answer, and no part of it twice."""
    environment = without_a_model(home, EDGECASCADE_STREAM__ON_BREAK=on_break)
    with LoopbackCloud(fault.closes(3, "It is three hundred."), again) as cloud:
        done = run(environment, "ask", "--mode", "only_in_cloud", "--cloud", cloud.spec(), HARD)

    assert (done.returncode, done.stdout) == (0, "It is three hundred.\n")


def test_a_question_that_had_to_wait_is_answered_once(home: dict[str, str]) -> None:
    """Queued while no cloud was reached; the next command brings its answer, on standard error, and no later one."""
    environment = without_a_model(home, EDGECASCADE_QUEUE="true", EDGECASCADE_MODE="only_in_cloud")
    with LoopbackCloud.refusing() as nobody:
        waiting = run(environment, "ask", "--cloud", nobody.spec(), HARD)
    with LoopbackCloud("It is so.") as cloud:
        later = [run(environment, "ask", "--cloud", cloud.spec(), "Is it so?") for _ in range(3)]

    assert (waiting.returncode, waiting.stdout) == (0, "")
    assert "queued, asked again later: " in waiting.stderr
    assert [done.stdout for done in later] == ["It is so.\n"] * 3
    assert "".join(done.stderr for done in later).count("late answer to ") == 1


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
def test_a_draft_on_a_terminal_is_taken_away_for_the_clouds_answer(home: dict[str, str]) -> None:
    """--show draft prints at once; what was printed is erased before the cloud's answer."""
    import pty

    main, side = pty.openpty()
    with LoopbackCloud("It is 391.") as cloud:
        command = [sys.executable, "-m", "edgecascade", "ask", "--show", "draft", "--cloud", cloud.spec(), HARD]
        with subprocess.Popen(command, env=online(home), stdin=side, stdout=side, stderr=subprocess.PIPE) as child:
            os.close(side)
            assert child.stderr is not None
            said = child.stderr.read().decode()
        screen = os.read(main, 65536)
    os.close(main)

    draft, _, answer = screen.partition(b"\r\x1b[J")
    assert draft
    assert answer == b"It is 391.\r\n"
    assert "↪ asking" in said
