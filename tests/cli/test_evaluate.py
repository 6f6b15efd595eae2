"""``edgecascade evaluate``, as a user types it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecascade.cli import main
from edgecascade.labelled import Grade
from edgecascade.records import Draft, HiddenStates, Timings, Token, Usage
from edgecascade.store.attempts import Attempt, AttemptsLog, Header, digest_of
from edgecascade.store.pool_files import open_pool, read_pool
from edgecascade.store.questions import read_questions
from edgecascade.testing import TINY_IDENTITY

N = 60


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of three models, the third one dear."""
    random = np.random.default_rng(0)
    rows = []
    for row in range(N):
        hard = row % 2
        chances = {"small": 0.9 - 0.8 * hard, "middle": 0.5, "large": 0.85}
        rows.append({
            "id": str(row), "task": "maths" if hard else "facts", "metric": "exact", "gold": "yes",
            "question": f"{'prove theorem' if hard else 'name capital'} {row}",
            "scores": {name: float(random.random() < chance) for name, chance in chances.items()},
        })  # fmt: skip
    path = tmp_path / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(table: Path, *words: str | Path, columns: int = 140) -> Result:
    """Run the command as a user of no settings."""
    usual: dict[str, str | None] = {name: None for name in os.environ if name.startswith("EDGECASCADE_")}
    usual["EDGECASCADE_OFFLINE"] = "1"
    environment = usual | {"EDGECASCADE_HOME": str(table.parent / "home"), "COLUMNS": str(columns)}
    return CliRunner().invoke(main, ["evaluate", str(table), *map(str, words)], env=environment)


def attempts_of(table: Path, *, leave_out: int = 0) -> Path:
    """Write a local model's recorded answers to the very questions: its margin tells when it is right."""
    header = Header(identity=TINY_IDENTITY, questions="d" * 64, system=None, cloud=None, shard="1/1",
                    created="2026-11-22", width=4, fingerprint=())  # fmt: skip
    random = np.random.default_rng(1)
    out = table.parent / "attempts.jsonl"
    with AttemptsLog(out, header) as log:
        for question in read_questions(table).questions[leave_out:]:
            right = float(random.random() < 0.6)
            token = Token(1, "yes", -0.1, -0.1, 1.0, 0.2, 0.9, 3.0, 0.05, False)
            state = HiddenStates(random.normal(size=4).astype(np.float32), None)
            draft = Draft("yes", (token,), "end", Usage(9, 1), Timings(0.0, 0.1, 0.0, 0.0, 0.1), state)
            shown = {"first_margin": right + float(random.random()), "mean_logprob": -float(random.random())}
            log.append(Attempt(question.id, question.task, "exact", draft, shown, Grade(right),
                               question=digest_of(question)))  # fmt: skip
    return out


QUICK = ("--policy", "random,knn", "--splits", "2", "--train", "0.5")
PRICED = ("--price", "small=0.1", "--price", "middle=0.2", "--price", "large=2,5")


def test_the_last_line_of_json_is_one_object(table: Path) -> None:
    """With every policy, every baseline, and how they came about; progress stands elsewhere."""
    done = run(table, *QUICK, *PRICED, "--json")
    record = json.loads(done.stdout.splitlines()[-1])

    assert done.exit_code == 0 and set(record["policies"]) == {"random", "knn"}
    assert {"small", "middle", "large", "constant", "oracle", "threshold", "margin"} <= set(record["baselines"])
    assert record["unit"] == "usd" and record["n_train"] == record["n_test"] == N // 2
    assert record["features"]["kind"] == "text" and "split 1 of 2, estimates" in done.stderr


def test_the_same_seed_prints_the_same(table: Path) -> None:
    """All but the seconds; --quiet shows no progress."""
    one, again = (json.loads(run(table, *QUICK, "--json", "--seed", "7").stdout) for _ in range(2))
    for record in (one, again):
        record["estimate_seconds"] = 0
        for part in (*record["policies"].values(), *record["baselines"].values()):
            part["fit_seconds"] = part["decide_microseconds"] = 0

    assert one == again
    assert not run(table, *QUICK, "--quiet").stderr


def test_a_terminal_gets_a_table_and_a_sentence_on_each(table: Path) -> None:
    """What must be known is said, and in a sweep the curves."""
    said = run(table, *QUICK, "--sweep").stdout

    assert "POLICY" in said and "A=small, B=middle, C=large" in said
    assert "random does not beat the random mix" in said and "each call counts 1" in said
    assert "curve of knn: " in said


def test_a_narrow_terminal_has_room_for_the_table(table: Path) -> None:
    """Of 80 columns, with every policy and long names; one of 40 gets a block a policy. Nothing is cut off."""
    table.write_text(table.read_text().replace('"large"', f'"large-{"x" * 60}"'))
    options = ("--policy", "cascade_routing", "--splits", "1", "--price", "small=0.0123", "--price", "middle=1",
               "--price", f"large-{'x' * 60}=2,5", "--quiet")  # fmt: skip
    wide, narrow = (run(table, *options, columns=columns).stdout for columns in (80, 40))

    assert max(map(len, wide.splitlines())) <= 80 and "POLICY           QUALITY" in wide
    assert "POLICY    cascade_routing\nQUALITY" in narrow
    for said in (wide, narrow):
        assert "cascade_routing" in said and "C alone" in said and "…" not in said


def test_prices_from_a_file_are_those_of_the_options(table: Path) -> None:
    """And an option goes before the file."""
    (table.parent / "p.toml").write_text("small = 9.0\nmiddle = 0.2\nlarge = {input = 2.0, output = 5.0}\n")
    options = (*QUICK, "--json", "--models", "small,large")
    stated = json.loads(run(table, *options, *PRICED).stdout)["baselines"]
    filed = json.loads(run(table, *options, "--prices", table.parent / "p.toml", "--price", "small=0.1").stdout)

    assert {name: one["cost"] for name, one in filed["baselines"].items()} == {
        name: one["cost"] for name, one in stated.items()
    }
    assert "middle" not in stated and filed["models"] == ["small", "large"]


def test_recorded_attempts_are_one_more_model(table: Path) -> None:
    """Under the name that is given, or their own; its states are the features, its margins make the margin rule run."""
    path = attempts_of(table, leave_out=4)
    record = json.loads(run(table, *QUICK, *PRICED, "--attempts", f"mine={path}", "--json").stdout)
    own = json.loads(run(table, *QUICK, *PRICED, "--attempts", path, "--json", "--features", "text").stdout)

    assert record["models"] == ["mine", "small", "middle", "large"] and record["features"]["kind"] == "hidden"
    assert record["baselines"]["mine"]["cost"] == 0 and record["baselines"]["margin"]["quality"] is not None
    assert "4 rows left out: no attempt of mine" in record["notices"] and "mine costs nothing" in str(record["notices"])
    assert own["models"][0] == TINY_IDENTITY.model and own["features"]["kind"] == "text"


def test_attempts_alone_make_a_table(table: Path) -> None:
    """Of a question file without scores: two local models, their answers known, their tokens priced."""
    path, bare = attempts_of(table), table.parent / "bare.jsonl"
    rows = map(json.loads, table.read_text(encoding="utf-8").splitlines())
    kept = ("id", "task", "question", "metric", "gold", "choices")
    lines = [json.dumps({name: row[name] for name in kept if name in row}) for row in rows]
    bare.write_text("\n".join(lines), encoding="utf-8")
    both = ("--attempts", f"mine={path}", "--attempts", f"other={path}", "--price", "other=2", "--json")
    record = json.loads(run(bare, *QUICK, *both).stdout)

    assert sorted(record["models"]) == ["mine", "other"] and record["unit"] == "usd"
    assert record["baselines"]["mine"]["cost"] == 0 < record["baselines"]["other"]["cost"]


def test_a_page_and_a_policy_are_written(table: Path) -> None:
    """The page stands alone, the policy can be opened."""
    page, saved = table.parent / "page.html", table.parent / "policy.json"
    done = run(table, *QUICK, *PRICED, "--out", page, "--save", saved, "--budget", "0.0005")

    assert done.exit_code == 0 and "<html" in page.read_text(encoding="utf-8")
    file = read_pool(saved)
    assert file.policy in ("random", "knn")
    assert (file.models, file.budget) == (("small", "middle", "large"), 0.0005)
    assert open_pool(file).fitted.models == file.models


def test_the_winner_is_saved_before_anything_is_printed(table: Path) -> None:
    """And it is said which it is, and why; never one that no new question could be asked of."""
    saved = table.parent / "policy.json"
    done = run(table, *QUICK, "--save", saved)
    read = read_pool(saved)
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    guessed = [row | {"estimates": dict.fromkeys(row["scores"], 0.5)} for row in rows]
    table.write_text("".join(json.dumps(row) + "\n" for row in guessed), encoding="utf-8")
    refused = run(table, *QUICK, "--save", saved)

    assert done.output.index("policy: ") < done.output.index("3 models on")
    assert f"policy: {saved}, {read.policy}: it gained most on the random mix" in done.stderr
    assert refused.exit_code == 3 and "cannot be used live" in refused.stderr and "split 1" not in refused.stderr


def test_a_stream_and_seconds_are_printed(table: Path) -> None:
    """Where the table records them."""
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    timed = [row | {"seconds": {"small": 1, "middle": 2, "large": 3}} for row in rows]
    table.write_text("".join(json.dumps(row) + "\n" for row in timed), encoding="utf-8")
    said = run(table, "--policy", "constant", "--splits", "1", "--stream", "2.5", "--at-once", "2").stdout

    assert "3.00 / 3.00" in said and "WORTH" in said and "answers 2 at once, an answer after more than 2.5 s" in said


def test_few_questions_say_what_became_of_the_others(table: Path) -> None:
    """Copies are one question."""
    table.write_text(table.read_text(encoding="utf-8").splitlines()[0] + "\n")
    table.write_text(table.read_text(encoding="utf-8") * 30)
    done = run(table, *QUICK)

    assert done.exit_code == 3 and "found 1 (" in done.stderr and "29 repeated questions left out" in done.stderr


WRONG = [
    (("--policy", "randm"), 3, "policy 'randm' is unknown: wanted one of constant"),
    (("--models", "small,tiny"), 3, "no model 'tiny': found small, middle, large"),
    (("--models", ""), 2, "wanted names, each once"),
    (("--models", ","), 2, "wanted names, each once"),
    (("--models", "small,small"), 2, "wanted names, each once"),
    (("--out", "none/page.html"), 3, "none/page.html cannot be written: found its folder closed"),
    (("--save", "/proc/policy.json"), 3, "/proc/policy.json cannot be written"),
    (("--stream", "1"), 3, "found no seconds in at least one row of small, middle, large"),
    (("--at-once", "1"), 2, "give --stream DEADLINE"),
    (("--price", "small"), 3, "the price 'small' cannot be read"),
    (("--price", "small=1"), 3, "what middle costs is unknown"),
    (("--policy", "margin"), 3, "none of the policies"),
    (("--features", "hidden"), 3, "no features of the kind 'hidden'"),
    (("--attempts", "none.jsonl"), 3, "none.jsonl"),
    (("--out", "page.txt"), 3, "wanted '.html'"),
    (("--save", "policy.txt"), 3, "wanted '.json'"),
    (("--train", "0.95"), 2, "0.95"),
    (("--train", "nan"), 2, "nan"),
    (("--budget", "-1"), 2, "-1"),
    (("--confidence", "1"), 2, "0.5<=x<1"),
    (("--splits", "0"), 2, "0"),
    (("--budget", "1", "--sweep"), 2, "--sweep"),
    (("--prices", "none.toml"), 2, "none.toml"),
]


@pytest.mark.parametrize(("words", "code", "reason"), WRONG)
def test_a_wrong_input_is_one_line_and_a_code(table: Path, words: tuple[str, ...], code: int, reason: str) -> None:
    """3 for what cannot be used, 2 for what cannot be said so; no traceback."""
    done = run(table, *(() if "--policy" in words else ("--policy", "random")), "--splits", "2", *words)

    assert done.exit_code == code and reason in done.stderr
    assert isinstance(done.exception, SystemExit) and "Traceback" not in done.stderr


def test_a_file_without_scores_is_refused(table: Path) -> None:
    """A question file is not yet a table."""
    table.write_text('{"id": "1", "task": "t", "question": "x?", "gold": "y", "metric": "exact"}\n')
    done = run(table)

    assert done.exit_code == 3 and "no row with 'scores'" in done.stderr
