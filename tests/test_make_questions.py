"""The shipped question set: what the script writes, true where it can be checked another way, and gradable."""

import contextlib
import datetime
import io
import json
import re
import string
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edgecascade.grading import check, grade
from edgecascade.labelled import LabelledQuestion
from edgecascade.records import Message

CALIBRATION = Path(__file__).parent.parent / "calibration"
ROWS: list[dict[str, Any]] = [
    json.loads(line)
    for path in sorted((CALIBRATION / "questions").glob("*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
]


def golds(row: dict[str, Any]) -> list[str]:
    """Return the accepted answers of a row."""
    gold = row.get("gold", [])
    return [gold] if isinstance(gold, str) else gold


def labelled(row: dict[str, Any]) -> LabelledQuestion:
    """Return the row as the package reads it."""
    return LabelledQuestion(
        id=row["id"],
        task=row["task"],
        messages=(Message("user", row["question"]),),
        metric=row["metric"],
        gold=tuple(golds(row)),
        choices=tuple(row.get("choices", ())),
        grading=row.get("grading", {}),
    )


def of(task: str, pattern: str) -> list[tuple[re.Match[str], str]]:
    """Return every match of the pattern on a question of the family, with the first accepted answer."""
    found = [(re.search(pattern, row["question"]), golds(row)) for row in ROWS if row["task"] == task]
    return [(match, gold[0]) for match, gold in found if match and gold]


def test_the_script_writes_the_shipped_bytes(tmp_path: Path) -> None:
    """Running the script gives byte for byte what is shipped, and no file besides."""
    script = CALIBRATION / "make_questions.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path / "new")], check=True)

    written = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (CALIBRATION / "questions").iterdir()}


def test_the_set_is_large_and_no_family_rules_it() -> None:
    """At least 2,400 questions in 12 families, none above 15 %, all below a megabyte."""
    tasks = Counter(row["task"] for row in ROWS)
    size = sum(path.stat().st_size for path in (CALIBRATION / "questions").iterdir())

    assert len(ROWS) >= 2400
    assert len(tasks) >= 12
    assert max(tasks.values()) <= 0.15 * len(ROWS)
    assert size < 1_000_000


def test_no_question_and_no_id_occurs_twice() -> None:
    """Ids and question texts are unique over all families; an id names its family and level."""
    ids, questions = Counter(row["id"] for row in ROWS), Counter(row["question"] for row in ROWS)

    assert ids.most_common(1)[0][1] == 1
    assert questions.most_common(1)[0][1] == 1
    assert all(re.fullmatch(rf"{row['task']}-[1-5]-\d{{4}}", row["id"]) for row in ROWS)


def test_a_third_is_easy_and_hard_ones_are_there() -> None:
    """At least a third of the set is of levels 1 and 2, and at least a tenth of every level is there."""
    levels = Counter(int(row["id"].split("-")[-2]) for row in ROWS)

    assert levels[1] + levels[2] >= len(ROWS) / 3
    assert min(levels[level] for level in range(1, 6)) >= len(ROWS) / 10


def test_every_row_can_be_graded() -> None:
    """Metric, gold, choices, pattern and schema of every row are what the graders want."""
    for row in ROWS:
        assert set(row) <= {"id", "task", "question", "choices", "gold", "metric", "grading"}
        check(labelled(row))


@pytest.mark.parametrize("form", ["{}", "The answer is {}.", "{}."])
def test_the_gold_answer_is_right_however_it_is_said(form: str) -> None:
    """Every accepted answer counts as right, alone and in a short sentence, where the question wants no form."""
    strict = ("exact", "json_schema")
    free = [row for row in ROWS if form == "{}" or (row["task"] != "format" and row["metric"] not in strict)]
    wrong = [
        (row["id"], gold) for row in free for gold in golds(row) if not grade(form.format(gold), labelled(row)).correct
    ]

    assert wrong == []


def test_a_refusal_is_never_right() -> None:
    """A reply that says nothing is graded as wrong everywhere, except where only the number of words is asked for."""
    refusals = ("I am sorry, that is something I cannot tell you.", "", "???")
    right = [row["id"] for row in ROWS for refusal in refusals if grade(refusal, labelled(row)).correct]

    assert right == []


def test_repeating_the_question_is_not_knowing() -> None:
    """Where the answer may stand anywhere in the reply, the question itself does not hold it."""
    open_rows = [row for row in ROWS if row["metric"] == "normalised" and not {"yes", "no"} & set(golds(row))]
    echoed = [row["id"] for row in open_rows if grade(row["question"], labelled(row)).correct]

    assert echoed == []


def test_yes_and_no_are_both_likely() -> None:
    """Neither always-yes nor always-no is right on more than two thirds of the yes-or-no questions."""
    verdicts = Counter(golds(row)[0] for row in ROWS if "Answer yes or no." in row["question"])

    assert set(verdicts) == {"yes", "no"}
    assert max(verdicts.values()) <= 2 / 3 * verdicts.total()


def test_naming_another_candidate_first_is_wrong() -> None:
    """Where the question names the candidates, each of the others alone, or before the right one, is wrong."""
    named = [(row, re.search(r"\(\?!\\b\(\?:(.+?)\)\\b\)", row.get("grading", {}).get("pattern", ""))) for row in ROWS]
    right = [
        (row["id"], other)
        for row, match in named
        for other in (match[1].replace("\\", "").split("|") if match else ())
        if grade(other, labelled(row)).correct or grade(f"{other}, not {row['gold']}", labelled(row)).correct
    ]

    assert sum(match is not None for _, match in named) > 300
    assert right == []


def test_a_choice_is_in_no_favourite_place() -> None:
    """The right letter is spread over the places, and a choice occurs once."""
    rows = [row for row in ROWS if row["metric"] == "choice"]
    letters = Counter(row["gold"] for row in rows)

    assert all(len(set(row["choices"])) == len(row["choices"]) for row in rows)
    assert max(letters.values()) <= len(rows) / 2


def test_sums_are_right_by_a_parser_of_their_own() -> None:
    """Every expression, in signs or in words, has the value that precedence climbing with fractions gives."""
    signs = {" plus ": "+", " minus ": "-", " times ": "*", " divided by ": "/"}
    signs |= {"\N{MULTIPLICATION SIGN}": "*", "\N{DIVISION SIGN}": "/"}
    strengths = {"+": 1, "-": 1, "*": 2, "/": 2}

    def value(tokens: list[str], least: int = 1) -> Fraction:
        head = tokens.pop(0)
        left = value(tokens) if head == "(" else Fraction(head)
        if head == "(":
            tokens.pop(0)
        while tokens and strengths.get(tokens[0], 0) >= least:
            sign = tokens.pop(0)
            right = value(tokens, strengths[sign] + 1)
            left = {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__}[sign](right)
        return left

    checked = 0
    for row in (row for row in ROWS if row["task"] == "arithmetic" and row["metric"] == "number"):
        text = row["question"]
        for word, sign in signs.items():
            text = text.replace(word, sign)
        tokens = re.findall(r"\d+|[-+*/()]", text)
        if "%" in text or "remainder" in text:
            continue
        assert value(tokens) == int(row["gold"]), row
        checked += 1
    assert checked > 150


def test_percentages_remainders_and_comparisons_are_right() -> None:
    """Shares, remainders, and the larger of two numbers agree with the digits of the question."""
    for match, gold in of("arithmetic", r"(\d+) % of (\d+)"):
        assert Fraction(int(match[1]), 100) * int(match[2]) == int(gold)
    for match, gold in of("arithmetic", r"when (\d+) is divided by (\d+)"):
        assert (int(match[1]) - int(gold)) % int(match[2]) == 0
        assert 0 <= int(gold) < int(match[2])
    for match, gold in of("arithmetic", r"is (larger|smaller), (\d+) or (\d+)"):
        pair = sorted((int(match[2]), int(match[3])))
        assert int(gold) == pair[match[1] == "larger"]


def test_programs_print_their_gold() -> None:
    """Running the program of every code question prints the answer that it was given."""
    programs = of("code", r"(?s)\n\n(.*?)(?:\n\nAnswer with.*)?$")
    for match, gold in programs:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(match[1], {})

        assert out.getvalue().strip() == gold
    assert len(programs) > 100


def test_weekdays_follow_the_calendar() -> None:
    """The weekday of a date is Zeller's congruence, and a day some days later is counted one by one."""
    days = ["Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
    months = ["March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
    months += ["January", "February"]
    dated = of("dates", r"was (\d+) (\w+) (\d{4})\?")
    ahead = of("dates", r"Today is (?P<day>\w+)\..* in (?P<n>\d+) days") + of(
        "dates", r"What day is (?P<n>\d+) days after (?P<day>\w+)"
    )

    for match, gold in dated:
        day, month, year = int(match[1]), months.index(match[2]) + 3, int(match[3])
        year -= month > 12
        century, rest = divmod(year, 100)
        assert days[(day + 13 * (month + 1) // 5 + rest + rest // 4 + century // 4 + 5 * century) % 7] == gold
    for match, gold in ahead:
        day = match["day"]
        for _ in range(int(match["n"])):
            day = days[(days.index(day) + 1) % 7]
        assert day == gold
    assert len(dated) >= 8
    assert len(ahead) >= 20


def test_leap_years_and_clocks_are_right() -> None:
    """A year is leap when 366 days lie between its ends, and a clock moves by the minutes that were said."""
    leaps, clocks = of("dates", r"Is (\d+) a leap"), of("dates", r"(\d\d):(\d\d)\. What does it show (\d+)")
    for match, gold in leaps:
        year = int(match[1])
        length = datetime.date(year + 1, 1, 1) - datetime.date(year, 1, 1)
        assert gold == ("yes" if length.days == 366 else "no")
    for match, gold in clocks:
        start = datetime.datetime(2000, 1, 1, int(match[1]), int(match[2]))
        assert (start + datetime.timedelta(minutes=int(match[3]))).strftime("%H:%M") == gold
    assert leaps
    assert clocks


def test_letters_are_where_the_answer_says() -> None:
    """First, last and counted letters, lengths and reversals agree with the word in the question."""
    for match, gold in of("strings", r'first letter of the word "(\w+)"'):
        assert match[1].startswith(gold)
    for match, gold in of("strings", r'last letter of the word "(\w+)"'):
        assert match[1].endswith(gold)
    for match, gold in of("strings", r'letters does the word "(\w+)" have'):
        assert sum(1 for _ in match[1]) == int(gold)
    for match, gold in of("strings", r'letter "(\w)" occur in "(\w+)"'):
        assert len(match[2]) - len(match[2].replace(match[1], "")) == int(gold)
    for match, gold in of("strings", r'"(\w+)" (?:backwards|in reverse)'):
        assert "".join(reversed(match[1])) == gold
    for match, gold in of("strings", r"in the alphabet: (.*)\? Answer"):
        assert sorted(re.split(r", | or ", match[1]))[0] == gold


def test_sequences_of_equal_steps_go_on() -> None:
    """Where all shown steps are equal, the next number is one step further; letters likewise."""
    numbers = [(list(map(int, re.findall(r"\d+", match[0]))), int(gold)) for match, gold in of("sequences", r"\d.*\d")]
    even = [(shown, gold) for shown, gold in numbers if len({b - a for a, b in pairwise(shown)}) == 1]

    assert len(even) > 50
    assert all(gold - shown[-1] == shown[1] - shown[0] for shown, gold in even)
    for match, gold in of("sequences", r"letter comes next: (.*), \.\.\."):
        places = [string.ascii_uppercase.index(letter) for letter in [*match[1].split(", "), gold]]
        assert len({b - a for a, b in pairwise(places)}) == 1


def test_conversions_go_through_the_base_unit() -> None:
    """A conversion has the value that the two units have in seconds, metres, kilograms, litres or pieces."""
    units = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
    units |= {"millimetre": 1, "centimetre": 10, "metre": 1000, "kilometre": 10**6}
    units |= {"gram": 1, "kilogram": 1000, "tonne": 10**6, "millilitre": 1, "litre": 1000}
    asked = of("units", r"How many (?P<small>\w+) are in (?P<n>a|an|\d+) (?P<large>\w+)\?")
    asked += of("units", r"Convert (?P<n>\d+) (?P<large>\w+) to (?P<small>\w+)\.")

    checked = 0
    for match, gold in asked:
        large, small = match["large"].removesuffix("s"), match["small"].removesuffix("s")
        if large in units and small in units:
            count = 1 if match["n"] in ("a", "an") else int(match["n"])
            assert units[large] * count == units[small] * int(gold), match[0]
            checked += 1
    assert checked > 40


def test_small_stories_end_where_they_should() -> None:
    """Gains, losses, shares and journeys, counted one by one, come to the answer."""
    for match, gold in of("word_problems", r"has (\d+) \w+ and gets (\d+) more"):
        assert len([*range(int(match[1])), *range(int(match[2]))]) == int(gold)
    for match, gold in of("word_problems", r"has (\d+) \w+ and gives (\d+) of them"):
        assert int(gold) + int(match[2]) == int(match[1])
    for match, gold in of("word_problems", r"shares (\d+) \w+ equally among (\d+)"):
        assert int(gold) * int(match[2]) == int(match[1])
    for match, gold in of("word_problems", r"has (\d+) times as many .* together (\d+)\."):
        assert int(gold) + int(gold) // int(match[1]) == int(match[2])
    for match, gold in of("word_problems", r"at (\d+) dollars each, and every third one is free\. .* do (\d+) "):
        paid = [item for item in range(1, int(match[2]) + 1) if item % 3]
        assert int(gold) == int(match[1]) * len(paid)


def test_an_element_has_one_number_and_the_rows_of_the_table_end_where_they_do() -> None:
    """Names and numbers agree in both directions, and the noble gases stand at 2, 10, 18, 36, 54 and 86."""
    by_name = {match[1]: int(gold) for match, gold in of("elements", r"(?:number of|atom of) (\w+)")}
    by_number = {int(match[1]): gold.lower() for match, gold in of("elements", r"atomic number (\d+)")}
    known = by_name | {name: number for number, name in by_number.items()}
    noble = {"helium": 2, "neon": 10, "argon": 18, "krypton": 36, "xenon": 54, "radon": 86}

    assert all(by_name.get(name, number) == number for number, name in by_number.items())
    assert all(known.get(name, number) == number for name, number in noble.items())
    assert len(set(known.values())) == len(known)


def test_a_capital_has_one_country() -> None:
    """No city is the capital of two countries, and both directions agree."""
    capital_of = {
        match[1]: gold for match, gold in of("geography", r"capital (?:city )?of (?!which|a )(?:the )?(.+?)[?.]$")
    }
    country_of = {
        match[1] or match[2]: gold for match, gold in of("geography", r"has (.+) as its capital|^(.+) is the cap")
    }

    assert len(set(capital_of.values())) == len(capital_of) > 100
    assert country_of
    assert all(capital_of.get(country, city) == city for city, country in country_of.items())


def test_temperatures_are_right() -> None:
    """Degrees Fahrenheit fall on the line through freezing (0, 32) and boiling (100, 212)."""
    found = of("units", r"What is (\d+) degrees (Celsius|Fahrenheit)")

    assert found
    for match, gold in found:
        celsius, fahrenheit = (float(match[1]), float(gold))[:: 1 if match[2] == "Celsius" else -1]
        assert (fahrenheit - 32) * 100 == pytest.approx(celsius * 180)


def test_the_ends_of_an_order_are_right() -> None:
    """Who is asked for stands first or last when the comparisons are chained."""
    orders = of("logic", r"^((?:\w+ is \w+ than \w+\. )+)Who is (?:the )?(\w+)")

    assert len(orders) > 40
    for match, gold in orders:
        pairs = re.findall(r"(\w+) is (\w+) than (\w+)", match[1])
        above, below = {pair[0] for pair in pairs}, {pair[2] for pair in pairs}
        top = match[2].removesuffix("est").removesuffix("er") == pairs[0][1].removesuffix("er")
        assert {gold} == (above - below if top else below - above)
