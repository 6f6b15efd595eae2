"""Tables of results: what is read, what is left out and counted, what a call costs, and what is refused."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.errors import QuestionFileError
from edgecascade.store.attempts import digest_of
from edgecascade.store.prices import Price
from edgecascade.store.questions import read_questions
from edgecascade.store.tables import USUAL_TOKENS, read_table

SUM = {"id": "1", "task": "sums", "question": "2 + 2?", "scores": {"small": 0.0, "large": 1.0}}
BIRD = {
    "id": "2",
    "task": "birds",
    "question": "Which one flies?",
    "choices": {"text": ["a stone", "a tern"], "labels": ["A", "B"]},
    "gold": "B",
    "metric": "em_mc",
    "scores": {"large": 0.5, "small": 1},
}
PRICES = {"small": Price(input=1.0, output=2.0), "large": Price(input=10.0, output=20.0)}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_scores_are_what_counts(tmp_path: Path) -> None:
    """A question without a gold answer, of no task, of a metric that nobody knows: its scores are read."""
    bare = {"question": "Why?", "scores": {"large": 0.25, "small": 0.75}}
    table = read_table(written(tmp_path / "t.jsonl", SUM | {"metric": "unheard_of"}, BIRD, bare)).table

    assert table.models == ("small", "large") and table.tasks == ("sums", "birds", "t")
    assert table.quality.tolist() == [[0, 1], [1, 0.5], [0.75, 0.25]]
    assert table.texts[1].startswith("Which one flies?\n\nA. a stone\nB. a tern") and table.texts[2] == "Why?"
    assert table.unit == "calls" and (table.cost == 1).all()


def test_a_row_without_a_score_is_left_out_and_counted(tmp_path: Path) -> None:
    """Of the models that are wanted only; the order of models is the one that was asked for."""
    path = written(tmp_path / "t.jsonl", SUM, BIRD | {"scores": {"small": 1.0, "large": None}}, {"question": "x?"})
    both, one = read_table(path), read_table(path, models=["small"])

    assert both.table.ids == ("1",) and both.left_out == 2 and "2 rows left out" in " ".join(both.notes())
    assert one.table.ids == ("1", "2") and one.left_out == 1 and one.table.models == ("small",)
    assert read_table(path, models=["large", "small"]).table.quality.tolist() == [[1, 0]]


def test_everything_that_was_recorded_is_kept(tmp_path: Path) -> None:
    """Costs, seconds, lengths, answers, estimates and prompt tokens; what a model has not is unknown."""
    more = {
        "costs": {"small": 0.5, "large": 2},
        "seconds": {"small": 0.25},
        "lengths": {"large": 40},
        "answers": {"small": "five", "large": ["four", "4"]},
        "estimates": {"small": 0.25, "large": {"before": 0.5, "after": 0.875}},
        "prompt_tokens": 12,
    }
    table = read_table(written(tmp_path / "t.jsonl", SUM | more, BIRD | {"costs": {"small": 0, "large": 0}})).table

    assert table.unit == "usd" and table.cost.tolist() == [[0.5, 2], [0, 0]]
    assert table.seconds[0, 0] == 0.25 and table.lengths[0, 1] == 40 and table.prompt_tokens[0] == 12
    assert table.before[0].tolist() == [0.25, 0.5] and table.after[0, 1] == 0.875
    assert np.isnan([table.seconds[0, 1], table.lengths[0, 0], table.after[0, 0], table.before[1, 0]]).all()
    assert table.answers == ((("five",), ("four", "4")), ((), ()))


def test_a_price_stands_in_for_a_cost_that_was_not_recorded(tmp_path: Path) -> None:
    """Prompt and answer tokens at the price; a length that nobody knows is the usual one."""
    rows = [SUM | {"prompt_tokens": 100, "costs": {"small": 7.0}, "lengths": {"large": 30}}, BIRD]
    read = read_table(written(tmp_path / "t.jsonl", *rows), prices=PRICES)
    tokens = len(read.table.texts[1].encode()) / 4

    assert read.table.cost[0].tolist() == pytest.approx([7.0, (100 * 10 + 30 * 20) / 1e6])
    assert read.table.cost[1, 0] == pytest.approx((tokens + USUAL_TOKENS * 2) / 1e6)
    assert "as recorded and by your prices" in read.costs


def test_csv_says_the_same_as_json(tmp_path: Path) -> None:
    """Columns of a model each: the same table."""
    head = "id,task,question,score:small,score:large,cost:small,cost:large,before:small,answer:large"
    (tmp_path / "t.csv").write_text(f"{head}\n1,sums,2 + 2?,0,1,0.5,2,0.25,four\n", encoding="utf-8")
    more = {"costs": {"small": 0.5, "large": 2}, "estimates": {"small": {"before": 0.25}}, "answers": {"large": "four"}}
    mine = read_table(tmp_path / "t.csv").table
    theirs = read_table(written(tmp_path / "t.jsonl", SUM | more)).table

    assert (mine.models, mine.ids, mine.texts, mine.answers) == (
        theirs.models,
        theirs.ids,
        theirs.texts,
        theirs.answers,
    )
    for name in ("quality", "cost", "before", "after", "prompt_tokens"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))


def test_copies_are_kept_once_and_counted(tmp_path: Path) -> None:
    """Under whatever id and task, in one file or in two; those whose scores differ are told apart."""
    other = SUM | {"id": "9", "task": "another", "scores": {"small": 1.0, "large": 1.0}}
    written(tmp_path / "a.jsonl", SUM, SUM, other)
    written(tmp_path / "b.jsonl", BIRD)
    read = read_table(tmp_path)

    assert read.table.ids == ("1", "2") and read.repeated == 2 and read.differing == 1


def test_other_choices_make_another_question(tmp_path: Path) -> None:
    """Of one text and one id, as published tables have it: both are kept, the second under an id of its own."""
    read = read_table(written(tmp_path / "t.jsonl", BIRD, BIRD | {"choices": ["Wren", "Penguin"]}))

    assert read.table.ids == ("2", "2-2") and not read.repeated


def test_ids_and_digests_are_those_of_the_question_file(tmp_path: Path) -> None:
    """So recorded attempts of the same file can be joined; what else a table records does not stand in the way."""
    path = written(tmp_path / "t.jsonl", BIRD | {"costs": {"small": 1, "large": 2}, "answers": {"small": "B"}})
    question, read = read_questions(path).questions[0], read_table(path, prices=PRICES)

    assert read.table.ids == (question.id,) and read.digests == (digest_of(question),)


def test_a_field_without_a_meaning_is_named(tmp_path: Path) -> None:
    """A misspelt column is not silently nothing."""
    assert read_table(written(tmp_path / "t.jsonl", SUM | {"cost": {"small": 1}})).ignored == ("cost",)


BROKEN = [
    ([], {}, "no row with 'scores'"),
    ([{"question": "x?"}], {}, "no row with 'scores'"),
    ([SUM | {"scores": {"small": 1.5}}], {}, r"t\.jsonl:1.*scores.small.*1\.5.*wanted .model: a number from 0 to 1.;"),
    ([SUM | {"scores": {"small": math.nan}}], {}, r"t\.jsonl:1.*scores.small"),
    ([SUM | {"scores": "good"}], {}, r"t\.jsonl:1.*scores"),
    ([SUM | {"costs": {"small": -1}}], {}, r"costs.small.*-1.*a number from 0"),
    ([SUM | {"costs": {"small": 1e300}}], {}, r"costs.small.*1e\+300.*a number from 0 to 1e12"),
    ([SUM | {"estimates": {"small": {"befor": 1}}}], {}, "estimates"),
    ([SUM | {"estimates": {"small": 2}}], {}, r"estimates.small.: found '2', wanted .model: a number from 0 to 1., or"),
    ([SUM | {"answers": {"small": 5}}], {}, r"answers.small.: found '5', wanted .model: a text"),
    ([SUM | {"question": " "}], {}, "no question"),
    ([SUM, SUM | {"question": "2 + 3?"}], {}, r"t\.jsonl:2: id '1'.*t\.jsonl:1.*rename"),
    ([SUM], {"models": ["smal"]}, "no model 'smal': found small, large"),
    ([SUM | {"scores": {"small": 1}}, BIRD | {"scores": {"large": 1}}], {}, "no question has a score of each model"),
    (
        [SUM, BIRD, BIRD | {"id": "3", "question": "?", "scores": {"small": 1, "smal": 1}}],
        {},
        "'smal' would leave out most questions: found a score of it in 1 of 3.*--models small,large",
    ),
    ([SUM], {"prices": {"small": PRICES["small"]}}, "what large costs is unknown.*--price large=USD"),
    ([SUM], {"prices": {"other": PRICES["small"]}}, "what small costs is unknown.*prices are known of other"),
    ([SUM | {"costs": {"small": 1}}], {}, "what large costs is unknown: found no cost in 1 rows"),
]


@pytest.mark.parametrize(("rows", "options", "reason"), BROKEN)
def test_what_is_no_table_is_refused(
    tmp_path: Path, rows: list[dict[str, Any]], options: dict[str, Any], reason: str
) -> None:
    """With the place, what was found, what was wanted."""
    path = written(tmp_path / "t.jsonl", *rows)

    with pytest.raises(QuestionFileError, match=reason):
        read_table(path, **options)


@pytest.mark.parametrize("text", ['["2 + 2?", 1]', "<!doctype html>\n<p>2 + 2, 4</p>", "a,b\n1,2,3\n"])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, text: str) -> None:
    """With what it begins with, and what it should be; not as a table of wrong cells."""
    (tmp_path / "t.jsonl").write_text(text, encoding="utf-8")

    with pytest.raises(QuestionFileError, match=r"found '(\[\"2|<!doc|a,b').*wanted (a|one) JSON object a line"):
        read_table(tmp_path / "t.jsonl")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """As a question file is."""
    with pytest.raises(QuestionFileError, match="cannot be read"):
        read_table(tmp_path / "none.jsonl")
