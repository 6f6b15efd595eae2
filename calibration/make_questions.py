"""Write the question set that the estimate is fitted on: python calibration/make_questions.py [--out FOLDER]

One file a family, one generator a family. A generator is given a random generator of its own, seeded with the family's
name, so a change to one family leaves every other file as it is. What can be computed is computed here; what has to be
known stands in ``facts``.

How an answer is graded follows from where it could be mistaken:

    said       the answer does not occur in the question, so it may stand anywhere in the reply  (normalised)
    first_of   the question names the candidates; the first one that the reply names decides     (regex)
    number     the reply's number                                                                (number)
    choice     four lettered texts                                                               (choice)

Levels go from 1 (a model of a hundred million parameters often knows) to 5 (one of three billion often does not).
"""

import argparse
import calendar
import contextlib
import datetime
import io
import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import facts

WEEKDAYS = facts.words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = facts.words("January February March April May June July August September October November December")
ORDINALS = facts.words("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth")
COUNTS = facts.words("zero one two three four five six seven eight nine ten eleven twelve")
VOWELS = "aeiou"


@dataclass(frozen=True, slots=True)
class Row:
    """One question with its level, 1 to 5, and how an answer to it is graded."""

    level: int
    question: str
    gold: tuple[str, ...]
    metric: str = "normalised"
    choices: tuple[str, ...] = ()
    grading: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self, task: str, number: int) -> str:
        """Return the line of the question file."""
        line: dict[str, Any] = {"id": f"{task}-{self.level}-{number:04d}", "task": task, "question": self.question}
        if self.choices:
            line["choices"] = list(self.choices)
        if self.gold:
            line["gold"] = self.gold[0] if len(self.gold) == 1 else list(self.gold)
        line["metric"] = self.metric
        if self.grading:
            line["grading"] = dict(self.grading)
        return json.dumps(line, ensure_ascii=False)


# How an answer is graded


def folded(text: str) -> str:
    """Return the text in lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def occurs(alias: str, text: str) -> bool:
    """Return whether the text names the alias as whole words, so that repeating the text would look right."""
    return re.search(rf"(?<!\w){re.escape(folded(alias))}(?!\w)", folded(text)) is not None


def said(level: int, question: str, answer: str) -> Iterator[Row]:
    """Yield a question whose answers, parted by "/", may stand anywhere in the reply; "=" marks a number.

    An alias that the question itself names is no sign of knowing, and is left out; so is a question without another.
    """
    if answer.startswith("="):
        yield from number(level, question, int(answer[1:]))
        return
    aliases = answer.split("/")
    if not set(aliases) <= {"yes", "no"}:
        aliases = [alias for alias in aliases if not occurs(alias, question)]
    if aliases:
        yield Row(min(level, 5), question, tuple(aliases))


def number(level: int, question: str, value: float, **grading: Any) -> Iterator[Row]:
    """Yield a question whose answer is a number; exact unless a tolerance is given."""
    text = f"{value:.10g}"
    yield Row(min(level, 5), question, (text,), "number", grading=grading)


def first_of(level: int, question: str, right: str, others: Iterable[str]) -> Iterator[Row]:
    """Yield a question that names its candidates: right is a reply that names the right one before any other."""
    wrong = "|".join(re.escape(other) for other in others if other != right)
    pattern = rf"(?is)(?:(?!\b(?:{wrong})\b).)*\b{re.escape(right)}\b.*"
    yield Row(min(level, 5), question, (right,), "regex", grading={"pattern": pattern})


def choice(random: Random, level: int, question: str, right: str, wrong: Sequence[str]) -> Iterator[Row]:
    """Yield a question with lettered choices in random order."""
    choices = [right, *wrong]
    random.shuffle(choices)
    yield Row(min(level, 5), question, ("ABCDEFG"[choices.index(right)],), "choice", tuple(choices))


def shown(level: int, question: str, answer: str) -> Iterator[Row]:
    """Yield a question whose answer must be written letter by letter as it is, with any text around it."""
    pattern = rf"(?s).*(?<![A-Za-z0-9]){re.escape(answer)}(?![A-Za-z0-9]).*"
    yield Row(min(level, 5), question, (answer,), "regex", grading={"pattern": pattern})


def article(noun: str) -> str:
    """Return the noun with its article.

    >>> article("apple"), article("hat"), article("moon")
    ('an apple', 'a hat', 'the moon')
    """
    if noun in ("moon", "sun"):
        return f"the {noun}"
    return f"an {noun}" if noun[0].lower() in VOWELS else f"a {noun}"


def listed(items: Sequence[str], word: str = "and") -> str:
    """Return the items, at least two, as English lists them.

    >>> listed(["red", "green", "blue"])
    'red, green and blue'
    """
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def told(rows: Iterable[Sequence[str]]) -> Iterator[Row]:
    """Yield the rows of a table of level, question and answer."""
    for level, question, answer in rows:
        yield from said(int(level), question, answer)


def clear_words(level: int) -> list[str]:
    """Return the words of this level."""
    return facts.words(facts.WORDS[level])


# What has to be known


COUNTRY_ALIASES = {
    "the United Kingdom": "United Kingdom/UK/Britain/England",
    "the United States": "United States/USA/America",
    "the Czech Republic": "Czech Republic/Czechia",
    "the Netherlands": "Netherlands/Holland",
    "the Philippines": "Philippines",
    "the United Arab Emirates": "United Arab Emirates/UAE/Emirates",
    "Turkey": "Turkey/Türkiye",
    "Georgia (the country in the Caucasus)": "Georgia",
    "Bosnia and Herzegovina": "Bosnia and Herzegovina/Bosnia",
    "North Macedonia": "North Macedonia/Macedonia",
}


def geography(random: Random) -> Iterator[Row]:
    """Capitals both ways, continents, languages, money, and famous places."""
    capitals = ("What is the capital of {}?", "Which city is the capital of {}?", "Name the capital city of {}.")
    languages = ("Which language do most people in {} speak?", "What is the main language of {}?")
    monies = ("What is the currency of {}?", "What money do people pay with in {}?")
    for country, capital, continent, language, money, rank in facts.COUNTRIES:
        level = int(rank)
        yield from said(level, random.choice(capitals).format(country), capital)
        if capital != "Washington" and random.random() < 0.45:
            ask = random.choice(("Which country has {} as its capital?", "{} is the capital of which country?"))
            yield from said(level + 1, ask.format(capital.split("/")[0]), COUNTRY_ALIASES.get(country, country))
        if continent != "-" and random.random() < 0.4:
            yield from said(max(level - 1, 1), f"On which continent is {country}?", continent)
        if language != "-" and (level == 1 or random.random() < 0.35):
            yield from said(level, random.choice(languages).format(country), language)
        if money != "-" and (level == 1 or random.random() < 0.3):
            aliases = [form for name in money.split("/") for form in (name, name + "s")]
            yield from said(level + (money != "euro"), random.choice(monies).format(country), "/".join(aliases))
    yield from told(facts.PLACES)


def elements(random: Random) -> Iterator[Row]:
    """Symbols and names both ways, and atomic numbers; symbols that are also English words are not asked for."""
    symbols, names = facts.ELEMENTS[::2], facts.ELEMENTS[1::2]
    english = {"In", "I", "As", "At", "Am", "Be", "No", "He"}
    for atomic, (symbol, name) in enumerate(zip(symbols, names, strict=True), start=1):
        famous, known = symbol in facts.FAMOUS_ELEMENTS, symbol in facts.KNOWN_ELEMENTS
        level, chance = (1, 1.0) if famous else (3, 0.75) if known else (4, 0.4)
        plain = name.split("/")[0].lower()
        if symbol not in english and random.random() < chance:
            ask = random.choice(("What is the chemical symbol of {}?", "Which symbol stands for the element {}?"))
            yield from shown(level, ask.format(plain), symbol)
        if random.random() < chance:
            ask = random.choice(("Which element has the symbol {}?", "What is the name of the chemical element {}?"))
            yield from said(level, ask.format(symbol), name)
        if random.random() < chance * 0.8:
            ask = random.choice(("What is the atomic number of {}?", "How many protons does an atom of {} have?"))
            yield from number(level + 1, ask.format(plain), atomic)
        if random.random() < chance * 0.3:
            yield from said(level + 1, f"Which element has the atomic number {atomic}?", name)


def science(random: Random) -> Iterator[Row]:
    """Facts of school science."""
    yield from told(facts.SCIENCE)


def culture(random: Random) -> Iterator[Row]:
    """Books, pictures, music, history, sport."""
    yield from told(facts.CULTURE)


def animals(random: Random) -> Iterator[Row]:
    """Young, sounds, classes, legs, and names of groups and homes."""
    for animal, young, sound, kind, legs in facts.ANIMALS:
        one = article(animal)
        common = animal in ("dog", "cat", "cow", "horse", "sheep", "pig", "duck", "hen", "lion")
        if young != "-":
            ask = random.choice(("What is a young {} called?", "What do you call a baby {}?"))
            yield from said(1 if common else 3, ask.format(animal), young)
        if sound != "-":
            forms = [sound, sound.split("/")[0] + "ing"]
            yield from said(1 if common else 2, f"Which sound does {one} make?", "/".join(forms))
        if legs not in ("-", "0"):
            yield from number(1 if legs == "4" else 2, f"How many legs does {one} have?", int(legs))
        kinds = ["mammal", "bird", "fish", "reptile"]
        if kind in kinds:
            random.shuffle(kinds)
            options = listed(kinds, "or")
            yield from first_of(2, f"Is {one} a {options}? Answer with one word.", kind, kinds)
        yield from said(2, f"Is {one} a mammal? Answer yes or no.", "yes" if kind == "mammal" else "no")
    yield from told(facts.ZOO)


def words(random: Random) -> Iterator[Row]:
    """Opposites, plurals, past tenses, comparatives, rhymes and meanings."""
    for level, word, opposite in facts.OPPOSITES:
        ask = random.choice(('What is the opposite of "{}"?', 'Which word means the opposite of "{}"?'))
        yield from said(int(level), ask.format(word), opposite)
    for level, word, plural in facts.PLURALS:
        ask = random.choice(('What is the plural of "{}"?', 'One {0}, two ... what? Give the plural of "{0}".'))
        yield from said(int(level), ask.format(word), plural)
    for level, verb, past in facts.PASTS:
        ask = random.choice(('What is the past tense of "{}"?', 'Give the simple past form of the verb "{}".'))
        yield from said(int(level), ask.format(verb), past)
    for level, word, more in facts.COMPARATIVES:
        yield from said(int(level), f'What is the comparative of "{word}", as "warmer" is of "warm"?', more)
    for rank, word, right, wrong in facts.RHYMES:
        asks = (f'Which of these words rhymes with "{word}"?', f'Find a rhyme for "{word}".')
        for ask, rhyme in zip(asks, right.split("/"), strict=False):
            yield from choice(random, int(rank) + 1, ask, rhyme, wrong.split("/"))
    for level, meaning, word in facts.MEANINGS:
        ask = random.choice(("Which word means: {}?", "What is the word for this: {}?"))
        yield from said(int(level), ask.format(meaning), word)


def translation(random: Random) -> Iterator[Row]:
    """Single words from English into four languages, and back."""
    languages = ("Spanish", "French", "German", "Italian")
    for rank, english, *foreign in facts.TRANSLATIONS:
        plain = english.split("/")[0]
        for language, word in random.sample(list(zip(languages, foreign, strict=True)), 2):
            harder = language in ("German", "Italian")
            ask = random.choice(('How do you say "{}" in {}?', 'What is the {1} word for "{0}"?'))
            yield from said(int(rank) + 1 + harder, ask.format(plain, language), word)
        language, word = random.choice(list(zip(languages, foreign, strict=True)))
        one = word.split("/")[0]
        yield from said(int(rank) + 1, f'What does the {language} word "{one}" mean in English?', english)


def common_sense(random: Random) -> Iterator[Row]:
    """Everyday knowledge, kinds of things, odd ones out, and which of two is more."""
    yield from told(facts.EVERYDAY)
    kinds = {kind: facts.words(members) for kind, members in facts.CATEGORIES.items()}
    for kind, members in kinds.items():
        others = [other for other in kinds if {kind, other} not in facts.OVERLAPPING and kind != other]
        for right in random.sample(members, 2):
            wrong = [random.choice(kinds[other]) for other in random.sample(others, 3)]
            yield from choice(random, 2, f"Which of these is {article(kind)}?", right, wrong)
        for _ in range(3):
            odd = random.choice(kinds[random.choice(others)])
            group = [*random.sample(members, 3), odd]
            random.shuffle(group)
            ask = f"Which word does not belong with the others: {listed(group, 'or')}? Answer with that word only."
            yield from first_of(3, ask, odd, group)
        for member in random.sample(members, 3) if kind in facts.DISTINCT else ():
            right_kind = random.random() < 0.5
            elsewhere = [other for other in facts.DISTINCT if other not in (kind, "vehicle")]
            named = kind if right_kind else random.choice(elsewhere)
            ask = f"Is {article(member)} {article(named)}? Answer yes or no."
            yield from said(1, ask, "yes" if right_kind else "no")
    for scale, more, less in facts.SCALES:
        for _ in range(14):
            low, high = sorted(random.sample(range(len(scale)), 2))
            pair = random.sample([scale[low], scale[high]], 2)
            up = random.random() < 0.6
            ask = f"Which is {more if up else less}: {listed([article(thing) for thing in pair], 'or')}?"
            yield from first_of(1 if high - low > 1 else 2, ask, scale[high if up else low], pair)


# What can be computed


def arithmetic(random: Random) -> Iterator[Row]:
    """Sums from one digit to several steps."""

    def digit() -> int:
        return random.randint(2, 9)

    def tens() -> int:
        return random.randint(11, 99)

    def hundreds() -> int:
        return random.randint(101, 999)

    def ordered(a: int, b: int) -> tuple[int, int]:
        return max(a, b), min(a, b)

    def minus(a: int, b: int) -> tuple[str, int]:
        a, b = ordered(a, b)
        return f"{a} - {b}", a - b

    def over(b: int, c: int) -> tuple[str, int]:
        return f"{b * c} / {b}", c

    def both(text: str, value: int) -> tuple[str, int]:
        return text, value

    def plus(a: int, b: int) -> tuple[str, int]:
        return both(f"{a} + {b}", a + b)

    def times(a: int, b: int) -> tuple[str, int]:
        return both(f"{a} * {b}", a * b)

    def precedence() -> tuple[str, int]:
        a, b, c = tens(), digit(), digit()
        return f"{a} + {b} * {c}", a + b * c

    def brackets() -> tuple[str, int]:
        a, b, (c, d) = tens(), tens(), ordered(tens(), digit())
        return f"({a} + {b}) * ({c} - {d})", (a + b) * (c - d)

    def products() -> tuple[str, int]:
        a, b, c, d = tens(), tens(), digit(), digit()
        return f"{a} * {b} - {c} * {d}", a * b - c * d

    kinds: list[tuple[int, int, Callable[[], tuple[str, int]]]] = [
        (1, 60, lambda: plus(digit(), digit())),
        (1, 34, lambda: minus(random.randint(5, 10), digit())),
        (2, 16, lambda: plus(tens(), digit())),
        (2, 22, lambda: times(digit(), digit())),
        (2, 12, lambda: minus(tens(), digit())),
        (3, 16, lambda: plus(tens(), tens())),
        (3, 12, lambda: minus(tens(), tens())),
        (3, 12, lambda: over(digit(), digit())),
        (3, 12, lambda: times(tens(), digit())),
        (4, 10, lambda: plus(hundreds(), hundreds())),
        (4, 10, lambda: times(tens(), tens())),
        (4, 12, precedence),
        (5, 12, brackets),
        (5, 8, products),
        (5, 8, lambda: times(hundreds(), tens())),
    ]
    asks = ("What is {}?", "Calculate {}.", "How much is {}?", "Work out {} and give the number.", "{} = ?")
    for level, count, make in kinds:
        for _ in range(count):
            text, value = make()
            spoken = random.random() < 0.4 and "(" not in text
            named = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
            signs = named if spoken else {"*": "\N{MULTIPLICATION SIGN}", "/": "\N{DIVISION SIGN}"}
            for sign, name in signs.items():
                text = text.replace(f" {sign} ", f" {name} ")
            yield from number(level, random.choice(asks[:4] if spoken else asks).format(text), value)
    for _ in range(10):
        percent, whole = random.choice((5, 10, 15, 20, 25, 40, 75)), random.randint(2, 30) * 20
        yield from number(4, f"What is {percent} % of {whole}?", percent * whole // 100)
    for _ in range(8):
        whole, part = random.randint(30, 200), random.randint(3, 9)
        yield from number(4, f"What is the remainder when {whole} is divided by {part}?", whole % part)
    for level, count, top in ((1, 14, 10), (2, 10, 100), (3, 8, 10_000)):
        for _ in range(count):
            a, b = random.sample(range(top // 10, top), 2)
            larger = random.random() < 0.6
            ask = f"Which number is {'larger' if larger else 'smaller'}, {a} or {b}? Answer with that number only."
            yield from first_of(level, ask, str((max if larger else min)(a, b)), (str(a), str(b)))
    for _ in range(10):
        value = random.randint(2, 99)
        yield from said(2, f"Is {value} an even number? Answer yes or no.", "no" if value % 2 else "yes")


def word_problems(random: Random) -> Iterator[Row]:
    """Small stories that end in a number."""
    for _ in range(14):
        who, other = random.sample(facts.NAMES, 2)
        things = random.choice(("apples", "pencils", "stickers", "marbles", "coins", "books"))
        n, m, k = random.randint(5, 12), random.randint(2, 4), random.randint(2, 9)
        price, paid = random.randint(2, 9), random.choice((50, 100))
        speed, hours = random.randint(4, 12) * 10, random.randint(2, 6)
        yield from number(1, f"{who} has {n} {things} and gets {k} more. How many {things} does {who} have now?", n + k)
        yield from number(1, f"{who} has {n} {things} and gives {m} of them to {other}. How many are left?", n - m)
        ask = f"A box holds {n} {things}. How many {things} are in {k} such boxes?"
        yield from number(2, ask, n * k)
        ask = f"{who} shares {k * m} {things} equally among {m} friends. How many does each friend get?"
        yield from number(2, ask, k)
        ask = f"One ticket costs {price} dollars. {who} buys {k} tickets and pays with {paid} dollars. "
        if paid > price * k:
            yield from number(3, ask + "How many dollars come back?", paid - price * k)
        ask = f"A train goes {speed} kilometres an hour. How many kilometres does it go in {hours} hours?"
        yield from number(3, ask, speed * hours)
        ask = f"{who} is {n + k} years old and {other} is {k} years younger. How old will {other} be in {m} years?"
        yield from number(4, ask, n + m)
        ask = f"{who} reads {n} pages a day for {k} days, then {n * 2} a day for {m} days. How many pages is that?"
        yield from number(4, ask, n * k + 2 * n * m)
        ask = f"{other} has {m} times as many {things} as {who}, together {k * (m + 1)}. How many does {other} have?"
        yield from number(5, ask, k * m)
        ask = (
            f"A shop sells {things} at {price} dollars each, and every third one is free. "
            f"How many dollars do {3 * k + 1} {things} cost?"
        )
        yield from number(5, ask, (2 * k + 1) * price)


def units(random: Random) -> Iterator[Row]:
    """Conversions; an answer within one per cent is right."""
    factors = [  # level, larger unit, smaller unit, its sign where it has one, how many in one
        (1, "minute", "seconds", "", 60),
        (1, "hour", "minutes", "", 60),
        (1, "day", "hours", "", 24),
        (1, "week", "days", "", 7),
        (1, "year", "months", "", 12),
        (1, "metre", "centimetres", "cm", 100),
        (2, "kilometre", "metres", "m", 1000),
        (2, "kilogram", "grams", "g", 1000),
        (2, "litre", "millilitres", "ml", 1000),
        (2, "dozen", "single pieces", "", 12),
        (2, "foot", "inches", "", 12),
        (2, "century", "years", "", 100),
        (2, "dollar", "cents", "", 100),
        (3, "centimetre", "millimetres", "mm", 10),
        (3, "tonne", "kilograms", "kg", 1000),
        (3, "yard", "feet", "", 3),
        (3, "pound (weight)", "ounces", "", 16),
        (4, "hour", "seconds", "", 3600),
        (4, "square metre", "square centimetres", "", 10_000),
        (4, "day", "minutes", "", 1440),
        (4, "kilometre", "centimetres", "cm", 100_000),
        (5, "mile", "feet", "", 5280),
        (5, "cubic metre", "litres", "", 1000),
        (5, "week", "hours", "", 168),
    ]
    plurals = {"century": "centuries", "foot": "feet", "dozen": "dozen", "pound (weight)": "pounds (weight)"}
    for level, large, small, sign, factor in factors:
        grading: dict[str, Any] = {"tolerance": 0.01} | ({"unit": sign} if sign else {})
        one = "an" if large == "hour" else "a"
        yield from number(level, f"How many {small} are in {one} {large}?", factor, **grading)
        for count in random.sample(range(2, 13), 3):
            many = plurals.get(large, large + "s")
            ask = random.choice(("How many {0} are in {2} {1}?", "Convert {2} {1} to {0}."))
            yield from number(level + 1, ask.format(small, many, count), count * factor, **grading)
        count = random.randint(2, 9)
        ask = f"How many {plurals.get(large, large + 's')} are {count * factor} {small}?"
        yield from number(level + 1, ask, count, tolerance=0.01)
    for celsius in (0, 10, 20, 25, 30, 35, 40, 100):
        ask = f"What is {celsius} degrees Celsius in degrees Fahrenheit?"
        yield from number(4 - (celsius in (0, 100)), ask, celsius * 9 / 5 + 32, tolerance=0.01)
    for fahrenheit in (32, 50, 68, 86, 104, 212):
        ask = f"What is {fahrenheit} degrees Fahrenheit in degrees Celsius?"
        yield from number(4, ask, (fahrenheit - 32) * 5 / 9, tolerance=0.01)
    for speed in (36, 54, 72, 90):
        ask = f"How many metres per second are {speed} kilometres per hour?"
        yield from number(5, ask, speed / 3.6, tolerance=0.01)


def dates(random: Random) -> Iterator[Row]:
    """Days of the week, months, leap years, the clock and the calendar (Gregorian)."""
    for index, day in enumerate(WEEKDAYS):
        yield from said(1, f"Which day of the week comes after {day}?", WEEKDAYS[(index + 1) % 7])
        yield from said(1, f"Which day of the week comes before {day}?", WEEKDAYS[index - 1])
        for ahead in random.sample((2, 3, 4, 5, 6, 8, 9, 10, 16, 30, 50, 100), 4):
            level = 2 if ahead < 4 else 3 if ahead < 14 else 4
            ask = random.choice(("Today is {}. Which weekday is it in {} days?", "What day is {1} days after {0}?"))
            yield from said(level, ask.format(day, ahead), WEEKDAYS[(index + ahead) % 7])
    for index, month in enumerate(MONTHS):
        yield from said(1, f"Which month comes after {month}?", MONTHS[(index + 1) % 12])
        yield from said(1, f"Which month comes before {month}?", MONTHS[index - 1])
        yield from said(2, f"Which is the {ORDINALS[index]} month of the year?", month)
        days = calendar.monthrange(2023, index + 1)[1]
        which = " in a year that is not a leap year" if month == "February" else ""
        yield from number(2, f"How many days does {month} have{which}?", days)
        ahead = random.randint(4, 9)
        yield from said(3, f"Which month is {ahead} months after {month}?", MONTHS[(index + ahead) % 12])
    for year in [1600, 1900, 2000, 2020, 2024, 2100, *sorted(random.sample(range(1601, 2100), 10))]:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        yield from said(3 + (year % 100 == 0), f"Is {year} a leap year? Answer yes or no.", "yes" if leap else "no")
    for _ in range(12):
        start, ahead = random.randrange(6 * 60, 20 * 60, 5), random.choice((10, 20, 30, 45, 50, 90, 135))
        end = start + ahead
        now = f"A 24-hour clock shows {start // 60:02d}:{start % 60:02d}."
        ask = f"{now} What does it show {ahead} minutes later?"
        yield from shown(3 if ahead < 60 else 4, ask, f"{end // 60:02d}:{end % 60:02d}")
    for _ in range(10):
        begin = datetime.date(random.randint(1950, 2024), random.randint(1, 12), random.randint(1, 28))
        ask = f"On which day of the week was {begin.day} {MONTHS[begin.month - 1]} {begin.year}?"
        yield from said(5, ask, WEEKDAYS[begin.weekday()])
    for _ in range(10):
        begin = datetime.date(2023, random.randint(1, 6), random.randint(1, 28))
        end_day = begin + datetime.timedelta(days=random.randint(20, 150))
        first, last = (f"{day.day} {MONTHS[day.month - 1]}" for day in (begin, end_day))
        yield from number(5, f"How many days after {first} 2023 is {last} 2023?", (end_day - begin).days)


def strings(random: Random) -> Iterator[Row]:
    """Letters and words taken apart and put together; "a" and "i" are never asked for, since they are words too."""
    plain = [word for level in (1, 2, 3) for word in clear_words(level)]
    for rank in facts.WORDS:
        for word in clear_words(rank):
            level = min(rank, 3)
            if word[0] not in "ai":
                yield from said(level, f'What is the first letter of the word "{word}"?', word[0])
            if word[-1] not in "ai" and random.random() < 0.7:
                yield from said(level, f'What is the last letter of the word "{word}"?', word[-1])
            if random.random() < 0.6:
                yield from number(min(rank + 1, 5), f'How many letters does the word "{word}" have?', len(word))
            if rank > 2 and random.random() < 0.7:
                letter = random.choice(word)
                ask = f'How many times does the letter "{letter}" occur in "{word}"?'
                yield from number(min(rank + 1, 5), ask, word.count(letter))
            if random.random() < 0.4:
                ask = random.choice(('Write "{}" backwards.', 'Spell the word "{}" in reverse order.'))
                yield from said(min(rank + 2, 5), ask.format(word), word[::-1])
    for word in random.sample(plain, 10):
        yield from shown(2, f'Write the word "{word}" in capital letters.', word.upper())
        yield from shown(2, f'Write the word "{word.upper()}" in small letters.', word)
    for word in random.sample(plain, 14):
        letter = random.choice(word if random.random() < 0.5 else "bcdfgklmnprstw")
        ask = f'Does the word "{word}" contain the letter "{letter}"? Answer yes or no.'
        yield from said(2, ask, "yes" if letter in word else "no")
    for count, level in ((2, 2), (3, 3), (5, 4)):
        for _ in range(7):
            group = random.sample(plain, count)
            ask = f"Which word comes first in the alphabet: {listed(group, 'or')}? Answer with that word only."
            yield from first_of(level, ask, min(group), group)
    for size in (3, 4, 5, 6, 7, 8, 9):
        sentence = " ".join(random.sample(plain, size))
        yield from number(3, f'How many words are in this text: "{sentence}"?', size)
    for _ in range(8):
        word, place = random.choice(clear_words(3)), random.randint(2, 5)
        if word[place - 1] not in "ai":
            ask = f'What is the {ORDINALS[place - 1]} letter of the word "{word}"?'
            yield from said(3, ask, word[place - 1])
    for _ in range(10):
        left, right = random.sample(clear_words(1), 2)
        yield from said(2, f'Join "{left}" and "{right}" into one word without a space.', left + right)


def sequences(random: Random) -> Iterator[Row]:
    """What comes next."""
    asks = ("Which number comes next: {}, ...?", "What is the next number in this series: {}?", "{}, ... What is next?")

    def ask(level: int, values: Sequence[int]) -> Iterator[Row]:
        text = ", ".join(map(str, values[:-1]))
        yield from number(level, f"{random.choice(asks).format(text)} Answer with one number only.", values[-1])

    for _ in range(26):
        start = random.randint(1, 40)
        yield from ask(1, range(start, start + 5))
    steps = ((2, 1, 12), (5, 1, 8), (10, 1, 8), (3, 2, 10), (4, 2, 10), (7, 3, 6), (9, 3, 6), (13, 4, 6))
    for step, level, count in steps:
        for _ in range(count):
            start = random.randint(1, 9) * (step if step in (5, 10) else 1)
            yield from ask(level, range(start, start + 5 * step, step))
    for _ in range(8):
        start, step = random.randint(30, 90), random.randint(2, 6)
        yield from ask(3, range(start, start - 5 * step, -step))
    for _ in range(8):
        start, factor = random.randint(1, 5), random.choice((2, 3, 10))
        yield from ask(3, [start * factor**power for power in range(5)])
    for _ in range(6):
        start = random.randint(1, 12)
        yield from ask(4, [value * value for value in range(start, start + 5)])
    for _ in range(8):
        values = [random.randint(1, 6), random.randint(1, 9)]
        while len(values) < 7:
            values.append(values[-1] + values[-2])
        yield from ask(4, values)
    for _ in range(10):
        start, step = random.randint(1, 20), random.randint(1, 4)
        yield from ask(5, [start + step * turn * (turn + 1) // 2 for turn in range(6)])
    for _ in range(8):
        first, second = random.randint(1, 9), random.randint(20, 40)
        values = [value for turn in range(4) for value in (first + turn, second - 2 * turn)]
        yield from ask(5, values[:7])
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for step, level in ((1, 1), (2, 3), (3, 4)):
        for start in random.sample(range(26 - 5 * step), 6):
            run = letters[start : start + 5 * step : step]
            if run[-1] not in "AI":
                yield from said(level, f"Which letter comes next: {', '.join(run[:-1])}, ...?", run[-1])


def logic(random: Random) -> Iterator[Row]:
    """Orders, conclusions, places and directions."""
    scales = (
        ("taller", "shorter", "tallest", "shortest"),
        ("older", "younger", "oldest", "youngest"),
        ("faster", "slower", "fastest", "slowest"),
    )
    for size, level, count in ((2, 1, 30), (3, 2, 16), (4, 4, 12), (5, 5, 10)):
        for _ in range(count):
            order = random.sample(facts.NAMES, size)
            more, less, most, least = random.choice(scales)
            given = [f"{a} is {more} than {b}." for a, b in itertools.pairwise(order)]
            random.shuffle(given)
            top = random.random() < 0.5
            wanted = (more if top else less) if size == 2 else f"the {most if top else least}"
            ask = f"{' '.join(given)} Who is {wanted}? Answer with the name only."
            yield from first_of(level, ask, order[0] if top else order[-1], order)
    made_up = ("wugs", "blickets", "daxes", "toves", "fendles", "zorps")
    colours = ("red", "blue", "green", "round", "heavy", "soft")
    for _ in range(14):
        kind, other = random.sample(made_up, 2)
        who, colour = random.choice(facts.NAMES), random.choice(colours)
        follows = random.random() < 0.5
        member = f"{who} has one of the {kind if follows else other}."
        ask = f"All {kind} are {colour}. No {other} are {colour}. {member} Is it {colour}? Answer yes or no."
        yield from said(2, ask, "yes" if follows else "no")
        third = random.choice([name for name in made_up if name not in (kind, other)])
        yes = random.random() < 0.5
        last = f"Are all {kind} {third}?" if yes else f"Can one of the {kind} not be one of the {third}?"
        ask = f"All {kind} are {other}. All {other} are {third}. {last} Answer yes or no."
        yield from said(3, ask, "yes" if yes else "no")
    rules = (
        ("it rains", "the street gets wet", "The street is not wet", "Did it rain", "no"),
        ("the alarm rings", "the dog barks", "The alarm rings", "Does the dog bark", "yes"),
        ("the lamp is on", "the room is bright", "The room is not bright", "Is the lamp on", "no"),
        ("the shop is open", "the sign is lit", "The shop is open", "Is the sign lit", "yes"),
        ("the cake is done", "the oven beeps", "The oven has not beeped", "Is the cake done", "no"),
        ("the bus is late", "the children wait", "The bus is late", "Do the children wait", "yes"),
        ("the key turns", "the door opens", "The door did not open", "Did the key turn", "no"),
        ("the river freezes", "the boats stay in the harbour", "The river is frozen", "Do the boats stay", "yes"),
    )
    for cause, effect, observed, ask, answer in rules:
        text = f"Whenever {cause}, {effect}. {observed}. {ask}? Answer yes or no."
        yield from said(4 if answer == "no" else 2, text, answer)
    boxes = ("red box", "blue box", "green box", "drawer", "bag", "basket")
    for moves, level, count in ((1, 2, 10), (2, 3, 10), (4, 4, 8)):
        for _ in range(count):
            places = [random.choice(boxes)]
            while len(places) <= moves:
                places.append(random.choice([box for box in boxes if box != places[-1]]))
            who, thing = random.choice(facts.NAMES), random.choice(("ball", "key", "coin", "letter"))
            story = f"{who} puts a {thing} into the {places[0]}."
            story += "".join(f" Then {who} moves it to the {place}." for place in places[1:])
            ask = f"{story} Where is the {thing} now? Name only that place."
            yield from first_of(level, ask, places[-1], sorted(set(places)))
    compass, turns = ("north", "east", "south", "west"), {"right": 1, "left": -1, "around": 2}
    for count, level in ((1, 2), (2, 4), (3, 5)):
        for _ in range(10 if count > 1 else 16):
            facing, taken = random.randrange(4), random.choices(list(turns), k=count)
            end = compass[(facing + sum(turns[turn] for turn in taken)) % 4]
            steps = ", then ".join(f"turn {turn}" for turn in taken)
            ask = f"You face {compass[facing]}. You {steps}. Which way do you face now?"
            yield from said(level, f"{ask} Answer with one word.", end)


def reading(random: Random) -> Iterator[Row]:
    """A few sentences, and a question that they answer, or do not."""
    colours = ["black", "white", "brown", "grey", "spotted"]
    pets = ["dog", "cat", "rabbit", "parrot", "pony"]
    pet_names = ["Pip", "Momo", "Rex", "Luna", "Coco", "Biscuit"]
    jobs = ["baker", "nurse", "teacher", "farmer", "pilot", "painter"]
    cities = ["Lisbon", "Oslo", "Vienna", "Dublin", "Athens", "Prague"]
    fruits = ["apples", "pears", "plums", "lemons", "cherries"]
    drinks = ["tea", "coffee", "milk", "juice", "water"]

    for _ in range(50):
        who, pet, name, colour = random.choice(facts.NAMES), *map(random.choice, (pets, pet_names, colours))
        text = f"{who} has a {colour} {pet} called {name}. Every morning {name} waits at the door."
        kind = random.randrange(3)
        if kind == 0:
            yield from first_of(1, f"{text} What colour is the {pet}?", colour, colours)
        elif kind == 1:
            yield from first_of(1, f"{text} What kind of animal is {name}?", pet, pets)
        else:
            yield from first_of(1, f"{text} What is the name of {who}'s {pet}?", name, pet_names)
    for _ in range(20):
        a, b = random.sample(facts.NAMES, 2)
        (x, y), (n, m) = random.sample(fruits, 2), random.sample(range(3, 20), 2)
        first, second = random.sample(WEEKDAYS, 2)
        text = f"On {first} {a} went to the market and bought {n} {x}. On {second} {b} bought {m} {y} there."
        yield from number(2, f"{text} How many {y} did {b} buy? Answer with the number only.", m)
        yield from first_of(2, f"{text} On which day did {a} go to the market?", first, WEEKDAYS)
        yield from number(4, f"{text} How many pieces of fruit did they buy together?", n + m)
    for _ in range(20):
        people, work, homes = (random.sample(group, 3) for group in (facts.NAMES, jobs, cities))
        rows = zip(people, work, homes, strict=True)
        text = " ".join(f"{who} is a {job} and lives in {city}." for who, job, city in rows)
        index = random.randrange(3)
        who, job, city = people[index], work[index], homes[index]
        kind = random.randrange(3)
        if kind == 0:
            yield from first_of(2, f"{text} Who is the {job}? Answer with the name only.", who, people)
        elif kind == 1:
            yield from first_of(2, f"{text} In which city does {who} live? Answer with the city only.", city, cities)
        else:
            ask = f"What is the job of the person in {city}? Answer with the job only."
            yield from first_of(3, f"{text} {ask}", job, jobs)
    for _ in range(16):
        opened, floors, rooms = random.randint(1850, 1950), random.randint(2, 5), random.randint(6, 20)
        later, price = random.randint(10, 60), random.randint(4, 18)
        text = (
            f"The town museum opened in {opened}. It has {floors} floors with {rooms} rooms on each floor. "
            f"The roof was repaired {later} years after that. A ticket costs {price} euros, and children pay half."
        )
        kind = random.randrange(4)
        if kind == 0:
            yield from number(2, f"{text} In which year did the museum open?", opened)
        elif kind == 1:
            yield from number(3, f"{text} How many euros does a ticket cost for an adult?", price)
        elif kind == 2:
            yield from number(4, f"{text} In which year was the roof repaired?", opened + later)
        else:
            yield from number(5, f"{text} How many rooms does the museum have in all?", floors * rooms)
    for _ in range(16):
        a, b = random.sample(facts.NAMES, 2)
        drink, other = random.sample(drinks, 2)
        city, missing = random.choice(cities), random.random() < 0.5
        text = f"{a} and {b} met in a cafe in {city}. {a} ordered {drink}, and {b} read the newspaper."
        if missing:
            ask = f"What did {b} order? If the text does not tell, answer: unknown."
            pattern = r"(?is).*\b(?:unknown|not (?:tell|say|mention|state|mentioned|stated|known))\b.*"
            yield Row(5, f"{text} {ask}", ("unknown",), "regex", grading={"pattern": pattern})
        else:
            yield from first_of(2, f"{text} What did {a} order?", drink, [*drinks, other])
    for _ in range(14):
        a, b, c = random.sample(facts.NAMES, 3)
        thing = random.choice(("the book", "the bicycle", "the ladder", "the guitar"))
        text = f"{a} lent {thing} to {b}. A week later {b} gave it to {c}, because {a} was on holiday."
        ask, answer, level = random.choice(
            (
                (f"Who has {thing} now?", c, 3),
                (f"Who owned {thing} at first?", a, 2),
                ("Who was on holiday?", a, 2),
                (f"Who received {thing} first from its owner?", b, 4),
            )
        )
        yield from first_of(level, f"{text} {ask} Answer with the name only.", answer, (a, b, c))


def printed(source: str) -> str:
    """Return what a piece of Python prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(source, {})
    return out.getvalue().strip()


def code(random: Random) -> Iterator[Row]:
    """A few lines of Python; the answer is what running them prints."""

    def lines(*parts: str) -> str:
        return "\n".join(parts)

    def a() -> int:
        return random.randint(2, 9)

    def word() -> str:
        return random.choice([*clear_words(1), *clear_words(2)])

    def values(count: int) -> list[int]:
        return [random.randint(1, 20) for _ in range(count)]

    kinds: list[tuple[int, int, Callable[[], str]]] = [
        (1, 14, lambda: f"print({a()} + {a()})"),
        (1, 10, lambda: lines(f"x = {a()}", f"y = {a()}", "print(x + y)")),
        (1, 6, lambda: f"print({a()} * {a()})"),
        (1, 10, lambda: f"print({a()} > {a()})"),
        (2, 8, lambda: f'print(len("{word()}"))'),
        (2, 6, lambda: lines(f"x = {a()}", f"x = x + {a()}", "print(x)")),
        (2, 6, lambda: f'print("{word()}" + "{word()}")'),
        (2, 6, lambda: f"print(max({values(4)}))"),
        (2, 5, lambda: f"print(len({values(a())}))"),
        (3, 6, lambda: f"print({random.randint(20, 60)} % {a()})"),
        (3, 6, lambda: f"print({random.randint(20, 60)} // {a()})"),
        (3, 6, lambda: lines("total = 0", f"for n in range({a()}):", "    total += n", "print(total)")),
        (3, 6, lambda: f'print("{word()[:3]}" * {random.randint(2, 4)})'),
        (3, 6, lambda: lines(f"items = {values(5)}", f"print(items[{random.randint(1, 3)}])")),
        (3, 5, lambda: lines(f"x = {a()}", f"if x > {a()}:", '    print("big")', "else:", '    print("small")')),
        (4, 6, lambda: f'print("{word()}"[::-1])'),
        (4, 6, lambda: f"print([n * {a()} for n in {values(3)}])"),
        (4, 6, lambda: f"print(sorted({values(4)}))"),
        (4, 6, lambda: f'print("{word()}"[1:4])'),
        (4, 5, lambda: f"print(sum(n for n in range({random.randint(6, 12)}) if n % 2 == 0))"),
        (5, 6, lambda: lines("def f(n):", "    return 1 if n < 2 else n * f(n - 1)", f"print(f({a() - 2}) + {a()})")),
        (5, 6, lambda: lines("a, b = 0, 1", f"for _ in range({a()}):", "    a, b = b, a + b", "print(a)")),
        (5, 6, lambda: lines(f"d = {{n: n ** 2 for n in range({a()})}}", "print(sum(d.values()))")),
        (5, 6, lambda: lines(f"x = {random.randint(5, 40)}", "while x > 3:", "    x = x // 2", "print(x + 1)")),
    ]
    asks = ("What does this Python code print?", "What is the output of this Python program?")
    for level, count, make in kinds:
        for _ in range(count):
            source = make()
            output, ask = printed(source), f"{random.choice(asks)}\n\n{source}"
            if re.fullmatch(r"-?\d+", output):
                yield from number(level, ask, int(output))
            elif output.startswith("["):
                if output not in source:
                    pattern = r"(?s).*\[\s*" + r"\s*,\s*".join(re.findall(r"\d+", output)) + r"\s*\].*"
                    yield Row(level, ask, (output,), "regex", grading={"pattern": pattern})
            elif output in ("big", "small"):
                yield from first_of(level, f"{ask}\n\nAnswer with that word only.", output, ("big", "small"))
            else:
                yield from said(level, ask, output)


def follow(random: Random) -> Iterator[Row]:
    """Replies that must have a form: JSON, a number of words, capitals, one word alone."""
    text, whole, truth = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}

    def as_object(level: int, ask: str, fields: Mapping[str, tuple[Mapping[str, str], Any]]) -> Iterator[Row]:
        schema = {
            "type": "object",
            "properties": {name: dict(kind) for name, (kind, _) in fields.items()},
            "required": list(fields),
            "additionalProperties": False,
        }
        wanted = {name: value for name, (_, value) in fields.items()}
        gold = json.dumps(wanted, ensure_ascii=False)
        yield Row(level, ask, (gold,), "json_schema", grading={"schema": schema, "equals": wanted})

    for _ in range(14):
        who, age = random.choice(facts.NAMES), random.randint(5, 80)
        city = random.choice(("Lisbon", "Oslo", "Vienna", "Dublin"))
        ask = f'Reply only with a JSON object with the keys "name" (text) and "age" (number): {who} is {age} years old.'
        yield from as_object(3, ask, {"name": (text, who), "age": (whole, age)})
        ask = (
            f"{who} is {age} years old and lives in {city}. "
            'Give this as one JSON object with exactly the keys "name", "age" (a number) and "city".'
        )
        yield from as_object(4, ask, {"name": (text, who), "age": (whole, age), "city": (text, city)})
        fruit, price, stock = random.choice(("apple", "pear", "melon")), random.randint(1, 9), random.random() < 0.5
        ask = (
            f"The {fruit} costs {price} euros and is {'in stock' if stock else 'sold out'}. Write only a JSON object "
            'with the keys "item" (text), "price" (whole number) and "in_stock" (true or false).'
        )
        yield from as_object(5, ask, {"item": (text, fruit), "price": (whole, price), "in_stock": (truth, stock)})
    for word in random.sample([*clear_words(1), *clear_words(2)], 20):
        ask = random.choice(
            ('Reply with the single word "{}" and nothing else.', "Say only this word, without a full stop: {}")
        )
        yield Row(1, ask.format(word), (word,), "exact")
    for country, capital, *_, rank in random.sample(facts.COUNTRIES[:44], 16):
        city = capital.split("/")[0].upper()
        pattern = rf"[^a-z]*\b{re.escape(city)}\b[^a-z]*"
        ask = f"Answer in capital letters only: what is the capital of {country}?"
        yield Row(min(int(rank) + 2, 5), ask, (city,), "regex", grading={"pattern": pattern})
    for subject in ("the sea", "a cat", "winter", "a good friend", "music", "the moon"):
        for size in random.sample((2, 3, 4, 5, 6), 2):
            pattern = rf"\S+(?:\s+\S+){{{size - 1}}}"
            ask = f"Describe {subject} in exactly {COUNTS[size]} words."
            yield Row(3 if size < 5 else 4, ask, (), "regex", grading={"pattern": pattern})
    kinds = {"colours": "colour", "fruits": "fruit", "animals": "mammal"}
    more = {
        "colour": "orange black white grey gray violet indigo gold silver turquoise",
        "fruit": "orange kiwi plum peach lemon lime melon watermelon blueberry",
        "mammal": "bird fish fox bear mouse monkey zebra deer snake frog duck chicken pig sheep goat whale shark",
    }
    for name, kind in kinds.items():
        members = "|".join(f"{member}(?:e?s)?" for member in facts.words(f"{facts.CATEGORIES[kind]} {more[kind]}"))
        for size in (2, 3, 4):
            pattern = rf"(?i)(?:{members})(?:, ?(?:and )?(?:{members})){{{size - 1}}}\.?"
            ask = f"Write {COUNTS[size]} {name}, separated by commas, and nothing else."
            yield Row(3, ask, (), "regex", grading={"pattern": pattern})
    for top in (4, 5, 6, 7, 8, 10):
        pattern = r",\s*".join(str(value) for value in range(1, top + 1)) + r"\.?"
        ask = f"Write the numbers from 1 to {top}, separated by commas, and nothing else."
        yield Row(2, ask, (", ".join(map(str, range(1, top + 1))),), "regex", grading={"pattern": pattern})
    for _ in range(10):
        day = datetime.date(random.randint(1990, 2030), random.randint(1, 12), random.randint(1, 28))
        ask = f"Write the date {day.day} {MONTHS[day.month - 1]} {day.year} in the form YYYY-MM-DD."
        yield from shown(3, ask, day.isoformat())
    for word in random.sample(clear_words(2), 8):
        ask = f"Write the word {word} three times, with a space between, and nothing else."
        pattern = rf"(?i){word} {word} {word}\.?"
        yield Row(3, ask, (f"{word} {word} {word}",), "regex", grading={"pattern": pattern})
    for start, end in (("Sure", "!"), ("Well", "."), ("Today", "!"), ("Once", ".")):
        for topic in ("the weather", "a small dog"):
            ask = f'Write one short sentence about {topic} that begins with "{start}" and ends with "{end}"'
            yield Row(3, ask, (), "regex", grading={"pattern": rf"(?s){start}\b.+{re.escape(end)}"})


FAMILIES: dict[str, Callable[[Random], Iterator[Row]]] = {
    "animals": animals,
    "arithmetic": arithmetic,
    "code": code,
    "common_sense": common_sense,
    "culture": culture,
    "dates": dates,
    "elements": elements,
    "format": follow,
    "geography": geography,
    "logic": logic,
    "reading": reading,
    "science": science,
    "sequences": sequences,
    "strings": strings,
    "translation": translation,
    "units": units,
    "word_problems": word_problems,
    "words": words,
}


def write(folder: Path) -> None:
    """Write one file a family into the folder; of rows with the same question the first stays."""
    folder.mkdir(parents=True, exist_ok=True)
    asked: set[str] = set()
    for task, generate in FAMILIES.items():
        rows = []
        for row in generate(Random(task)):
            if row.question not in asked:
                asked.add(row.question)
                rows.append(row)
        lines = [row.as_json(task, index) for index, row in enumerate(rows, start=1)]
        (folder / f"{task}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    """Write the set into --out, beside this script where it is not given."""
    parser = argparse.ArgumentParser(description="Write the question set that the estimate is fitted on.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "questions", metavar="FOLDER")
    write(parser.parse_args().out)


if __name__ == "__main__":
    main()
