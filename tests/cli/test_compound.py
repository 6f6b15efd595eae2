"""``compound`` as people type it, on servers that stand for models: nothing is loaded."""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgecascade.cli import main
from edgecascade.store.ledger import Ledger
from edgecascade.testing import LoopbackCloud

ADDING = '''
from __future__ import annotations

from dataclasses import dataclass

from edgecascade.compound.program import program

@dataclass
class Sum:
    said: str

@program("reader", "adder")
def adding(question, call):
    """Read the numbers, then add them."""
    return call("adder", "add " + Sum(call("reader", "read " + question)).said)
'''
Turns = Sequence[Mapping[str, str]]


def reads(messages: Turns) -> str:
    """Finds the number, and cannot add."""
    found = re.search(r"read (\d+)", messages[-1]["content"])
    return found[1] if found else "none"


def adds(messages: Turns) -> str:
    """Adds 1 to the number that it is told, and finds none itself."""
    found = re.search(r"add (\d+)", messages[-1]["content"])
    return str(int(found[1]) + 1) if found else "none"


class Desk:
    """Two servers, a question file, a program file, and the command line."""

    def __init__(self, folder: Path, small: LoopbackCloud, large: LoopbackCloud) -> None:
        self.folder, self.small, self.large = folder, small.spec(model="small"), large.spec(model="large")
        self.questions, self.program = folder / "sums.jsonl", f"{folder / 'own.py'}:adding"
        rows = [
            {"id": str(n), "task": "sums", "question": f"{n} + 1 =", "gold": n + 1, "metric": "number"}
            for n in range(8)
        ]
        self.questions.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        (folder / "own.py").write_text(ADDING, encoding="utf-8")
        self.environment: dict[str, str | None] = {"EDGECASCADE_HOME": str(folder / "home")}
        self.environment |= large.environment | {"OPENAI_API_KEY": "none", "EDGECASCADE_OFFLINE": None}

    def __call__(self, *words: str | Path) -> Result:
        """Run ``compound``."""
        return CliRunner(env=self.environment).invoke(main, ["compound", *map(str, words)])

    def record(self, *words: str | Path) -> dict[str, Any]:
        """Run it with --json; return the object on its last line."""
        done = self(*words, "--json")

        assert done.exit_code == 0, done.output
        return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """One server reads, the other adds."""
    with LoopbackCloud(answer=reads) as small, LoopbackCloud(answer=adds) as large:
        yield Desk(tmp_path, small, large)


def test_the_shipped_programs_are_listed(desk: Desk) -> None:
    """Names, what they do, and their modules."""
    done = desk("list")

    assert done.exit_code == 0
    assert "self-refine" in done.output and "generator, critic, refiner" in done.output
    assert set(desk.record("list")) == {"ask", "self-refine", "debate", "locate-solve"}


def test_what_is_optimised_can_be_run(desk: Desk) -> None:
    """The mix that neither can do alone is found, written, read again, and asks nothing twice."""
    out, pool = desk.folder / "found.json", f"{desk.small},{desk.large}"
    found = desk.record("optimise", desk.program, "-q", desk.questions, "--models", pool, "--exhaustive", "--out", out)
    again = desk("optimise", desk.program, "-q", desk.questions, "--models", pool, "--exhaustive", "--value-usd", "1")
    ran = desk.record("run", desk.program, "-q", desk.questions, "--allocation", out)

    assert (
        found["allocation"] == {"reader": desk.small, "adder": desk.large} == json.loads(out.read_text())["allocation"]
    )
    assert found["held_out"]["quality"] == 1.0 and found["singles"][desk.small]["held_out"]["quality"] == 0.0
    assert found["exhaustive"]["allocation"] == found["allocation"] and found["spent"]["asked"] > 16
    assert (
        "quality +1.000 [+1.000, +1.000] held out" in again.stdout
        and "worth +1.000 [+1.000, +1.000] held out" in again.stdout
        and "no difference is shown" in again.stdout
        and "0 calls asked" in again.stdout
    )
    assert (
        ran["schema_version"] == 1
        and ran["quality"] == 1.0
        and ran["spent"]["asked"] == 0
        and ran["answers"]["3"] == "4"
    )


def test_every_option_is_part_of_the_plan(desk: Desk) -> None:
    """What was typed is what is searched by; one model alone has no mix to be better."""
    typed: dict[str, Any] = {"train": 0.25, "aggregate": "vote", "start": "random", "alpha": 0.5, "value_usd": 2.0}
    typed |= {"usd_per_second": 0.001, "seed": 3}
    flags = [word for name, value in typed.items() for word in ("--" + name.replace("_", "-"), str(value))]
    words = ("optimise", desk.program, "-q", desk.questions, "--models", desk.small, "--diagnoser", desk.large)
    done = desk(*words, *flags, "--out", desk.folder / "found.json")
    found = json.loads((desk.folder / "found.json").read_text())

    assert "   worth" in done.stdout and found["held_out"]["worth"] < 0 == found["held_out"]["quality"]
    assert found["plan"] == typed | {"exhaustive": False} and (found["n_train"], found["n_test"]) == (2, 6)
    assert "no mix was better in training" in done.stdout


def test_no_more_is_asked_than_is_allowed(desk: Desk) -> None:
    """Calls, and tasks; what was asked is kept."""
    words = ("run", desk.program, "-q", desk.questions, "--models", desk.small)
    few, other = desk(*words, "--max-calls", "3"), desk(*words, "--task", "products")

    assert few.exit_code == 4 and "found 3, wanted more" in few.stderr
    assert other.exit_code == 3 and "has no task 'products'" in other.stderr
    assert desk.record(*words)["spent"]["kept"] == 3


def test_modules_are_allocated_by_hand(desk: Desk) -> None:
    """Module by module, or one model for all that are not named; people read the interval and what it took."""
    pool = f"{desk.small},{desk.large}"
    each = f"reader={desk.small},adder={desk.large}"
    mixed = desk("run", desk.program, "-q", desk.questions, "--models", pool, "--allocate", each, "--limit", "4")
    alone = desk.record("run", desk.program, "-q", desk.questions, "--models", desk.small)

    assert mixed.exit_code == 0, mixed.output
    assert "quality 1.000" in mixed.stdout and "95 % interval 0.398 to 1.000" in mixed.stdout
    assert "2.0 calls" in mixed.stdout and "8 calls asked" in mixed.stdout
    assert alone["quality"] == 0.0 and set(alone["allocation"].values()) == {desk.small}


def test_a_cloud_is_booked_and_held_to_its_budget(desk: Desk) -> None:
    """Each call stands in the ledger; beyond the budget nothing is asked, and what was asked is kept."""
    words = ("run", desk.program, "-q", desk.questions, "--models", "openai:gpt-4o-mini", "--limit", "2")
    desk.environment["EDGECASCADE_BUDGET"] = "2calls/day"
    short = desk(*words)
    desk.environment["EDGECASCADE_BUDGET"] = "3calls/day"
    done = desk.record(*words)
    with Ledger(desk.folder / "home" / "state" / "ledger.db", clock=lambda: 0.0) as ledger:
        calls = ledger.export("jsonl", io.BytesIO(), table="calls")

    assert short.exit_code == 4 and "budget" in short.stderr
    assert (done["spent"]["asked"], done["spent"]["kept"]) == (1, 2) and calls == 3  # both ask to add "none"
    assert done["usd"] is None  # behind another address than the provider's only the user knows the price
    prices = desk.folder / "home" / "config" / "config.toml"
    prices.parent.mkdir(exist_ok=True)
    prices.write_text('[prices."openai:gpt-4o-mini"]\ninput = 1.0\noutput = 1.0\n', encoding="utf-8")
    priced = desk.record(*words)

    assert priced["usd"] > 0 == priced["spent"]["asked"]  # a price that is set later counts for what was asked


def test_an_offline_device_asks_no_cloud(desk: Desk) -> None:
    """A cloud among the models is refused, and said which."""
    desk.environment["EDGECASCADE_OFFLINE"] = "1"
    done = desk("run", desk.program, "-q", desk.questions, "--models", "openai:gpt-4o-mini")

    assert done.exit_code == 3 and "'openai:gpt-4o-mini' to be asked, wanted no cloud" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "self-refin", "--models", "m"], 3, "did you mean 'self-refine'?"),
        (["run", "none.py:adding", "--models", "m"], 3, "found no such file"),
        (["run", "OWN.py:multiplying", "--models", "m"], 3, "has no program 'multiplying': found adding"),
        (["run", "OWN", "--models", "a,b"], 3, "no model for reader, adder"),
        (["run", "OWN", "--models", "a", "--allocate", "judge=a"], 3, "has no module 'judge'"),
        (["run", "OWN", "--models", "a", "--allocate", "adder=b"], 3, "'b' is not among those named"),
        (["run", "OWN", "--models", "a", "--allocate", "adder"], 2, "wanted MODULE=MODEL"),
        (["run", "OWN", "--models", "a", "--allocate", "adder="], 2, "wanted MODULE=MODEL"),
        (["run", "OWN", "--models", "a", "--allocate", "adder=a,adder=b"], 2, "'adder' is given two models"),
        (["run", "OWN", "--models", "x/m.gguf,y/m.gguf", "--allocate", "reader=m,adder=m"], 3, "'m' is not among"),
        (["run", "OWN", "--models", "a", "--out", "SUMS"], 3, "choose another --out"),
        (["run", "OWN", "--models", "no-such-model"], 3, "no-such-model"),
        (["optimise", "OWN", "--models", ","], 3, "found no model"),
        (["optimise", "OWN", "--models", "a,a"], 3, "'a' is named twice"),
        (["optimise", "OWN", "--models", "a", "--train", "nan"], 2, "found nan"),
        (["optimise", "OWN", "--models", "a", "--out", "SUMS"], 3, "choose another --out"),
        (["optimise", "OWN", "--models", "a", "--alpha", "1"], 2, "give both, or neither"),
        (["optimise", "OWN", "--models", "a", "--usd-per-second", "1"], 2, "give --value-usd"),
    ],
)
def test_what_cannot_be_meant_is_said(desk: Desk, words: list[str], code: int, said: str) -> None:
    """One line with what is wrong and what to do, before any model is asked."""
    own = desk.program.removesuffix(":adding")
    desk.questions = desk.questions.rename(desk.folder / "sums.json")
    there = {"OWN": desk.program, "SUMS": str(desk.questions)}
    named = [there.get(word, word.replace("OWN.py", own)) for word in words]
    done = desk(*named, "-q", desk.questions)

    assert done.exit_code == code and said in done.stderr
    assert "Traceback" not in done.output


def test_an_error_of_ones_own_program_is_one_line(desk: Desk) -> None:
    """At import and on a question: exit code 3, file and line, and no traceback."""
    own = Path(desk.program.removesuffix(":adding"))
    broken = ADDING.replace("    return call", "    len(5)\n    return call")
    said = []
    for text in (f"{ADDING}(\n", broken):
        own.write_text(text, encoding="utf-8")
        said.append(desk("run", desk.program, "-q", desk.questions, "--models", desk.small))

    assert [one.exit_code for one in said] == [3, 3] and "Traceback" not in said[0].output + said[1].output
    assert f"SyntaxError: '(' was never closed at {own}:{len(ADDING.splitlines()) + 1}" in said[0].stderr
    assert f"len() at {own}:{broken.splitlines().index('    len(5)') + 1}" in said[1].stderr


def test_questions_without_gold_are_refused(desk: Desk) -> None:
    """What cannot be graded shows nothing."""
    desk.questions.write_text('{"id": "1", "task": "t", "question": "Why?", "metric": "number"}', encoding="utf-8")
    done = desk("optimise", desk.program, "-q", desk.questions, "--models", desk.small)

    assert done.exit_code == 3 and "needs a gold answer" in done.stderr
