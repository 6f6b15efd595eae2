"""What is private is found as a whole, and what only looks like it is left alone."""

# ruff: noqa: RUF001 (addresses and numbers in other widths)

import itertools
import json
import random
import string
from pathlib import Path

import pytest

from edgecascade.privacy import Finding, Pattern, Rules, findings

QUESTIONS = Path(__file__).parent.parent.parent / "calibration" / "questions"
BASE62 = string.ascii_letters + string.digits
RANDOM = "q7Zt1LmX0vB4nRk9PcW2yHs6Dg8Fj3Ka5Sx1Qw7Ez"
"""Parts of keys are put together here, so that nothing in this file looks like a key that was lost."""


def found(text: str, **rules: object) -> list[tuple[str, str]]:
    """Return kind and text of all that is found."""
    return [(finding.kind, finding.text) for finding in findings(text, Rules(**rules))]


TRUE = [
    ("email", "ada@example.org"),
    ("email", "first.last+tag@mail.example.co.uk"),
    ("email", "jürgen@müller.example"),
    ("email", "ada＠example．org"),
    ("email", "a\u200bda@exam\u00adple.org"),
    ("phone", "+49 30 901820"),
    ("phone", "+1 (202) 555-0143"),
    ("phone", "+442079460958"),
    ("phone", "0049 30 901820"),
    ("phone", "(415) 555-2671"),
    ("phone", "415-555-2671"),
    ("phone", "415.555.2671"),
    ("card", "4111111111111111"),
    ("card", "4111 1111 1111 1111"),
    ("card", "4111-1111-1111-1111"),
    ("card", "4111\u00a01111\u00a01111\u00a01111"),
    ("card", "4111 1111\n1111 1111"),
    ("card", "４１１１ １１１１ １１１１ １１１１"),
    ("card", "4111\u200b1111\u200b1111\u200b1111"),
    ("card", "5555555555554444"),
    ("card", "2223003122003222"),
    ("card", "378282246310005"),
    ("card", "3782 822463 10005"),
    ("card", "30569309025904"),
    ("card", "6011111111111117"),
    ("card", "3530111333300000"),
    ("iban", "DE89370400440532013000"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82 west 1234 5698 7654 32"),
    ("iban", "MT84MALT011000012345MTLCAST001S"),
    ("iban", "NO93 8601 1117 947"),
    ("national_id", "536-90-4399"),
    ("national_id", "AB 12 34 56 C"),
    ("national_id", "1 85 05 78 006 084 91"),
    ("national_id", "54362315K"),
    ("national_id", "X2482300W"),
    ("national_id", "RCCMNL83S18D969H"),
    ("national_id", "131052-308T"),
    ("national_id", "811228-9874"),
    ("national_id", "756.9217.0769.85"),
    ("national_id", "390.533.447-05"),
    ("national_id", "85.07.30-033.28"),
    ("national_id", "971013-9019902"),
    ("national_id", "BOXW310820HNERXN09"),
    ("national_id", "360426199101010071"),
    ("key", "sk-" + RANDOM[:32]),
    ("key", "sk-ant-api03-" + RANDOM),
    ("key", "sk_live_" + RANDOM[:24]),
    ("key", "ghp_" + RANDOM[:36]),
    ("key", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("key", "AIza" + RANDOM[:35]),
    ("key", "xoxb-" + "1234567890-" + RANDOM[:24]),
    ("key", "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjMifQ." + "c2lnbmF0dXJl"),
    ("key", "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEow\n+/=\n-----END RSA PRIVATE KEY-----"),
    ("key", "-----BEGIN PRIVATE" + " KEY-----\\nMIIEow\\n-----END PRIVATE KEY-----"),
    ("secret", RANDOM[:32]),
    ("secret", RANDOM[:20] + "/" + RANDOM[20:] + "+a=="),
]


@pytest.mark.parametrize(("kind", "private"), TRUE)
@pytest.mark.parametrize("around", ["{}", "see {} please", "(x: {}, y)", "«{}»\nend", "é\u200b {}\u00a0ü"])
def test_what_is_private_is_found(kind: str, private: str, around: str) -> None:
    """Each kind is found as it stands, whole and nothing else, at either end and between any text."""
    assert found(around.format(private)) == [(kind, private)]


BESIDE = [
    ("national_id", "111222333", "My BSN is {}."),
    ("national_id", "1112.22.333", "burgerservicenummer {}"),
    ("national_id", "111222333", "{} (BSN)"),
    ("national_id", "536904399", "SSN: {}"),
    ("national_id", "44051401359", "PESEL {}"),
    ("national_id", "36574261809", "Steuer-ID {}"),
    ("national_id", "52998224725", "CPF {}"),
    ("national_id", "9434765870", "her NHS number is {}"),
    ("national_id", "2341 2341 2346", "aadhaar {}"),
    ("phone", "5558675309", "my phone number is {}"),
    ("phone", "867-5309", "Call me at {}!"),
    ("phone", "030 123456", "Tel.: {}"),
    ("secret", "hunter2", "password: {}"),
    ("secret", "swordfish", "Password: {}"),
    ("secret", "swordfish", "export DB_PASSWORD={} && run"),
    ("secret", "hunter2", "My password is {}, what now?"),
    ("secret", "swordfish", "Server=db;Password={};User=ada"),
    ("secret", "correcthorse", '{{"password": "{}"}}'),
    ("secret", "0123456789abcdef0123456789abcdef", "SECRET_KEY={}"),
    ("secret", "abc-1234", "accessToken: '{}'"),
    ("secret", "$ecret99", "passwd = {}"),
    ("secret", "abcdefghij1234567890", "Authorization: Bearer {}"),
    ("secret", "p4ss@db.example.org", "postgres://ada:{}:5432/x"),
]


@pytest.mark.parametrize(("kind", "private", "around"), BESIDE)
def test_what_stands_beside_it_tells(kind: str, private: str, around: str) -> None:
    """Digits and words that could be anything are found where a name beside them says what they are."""
    assert found(around.format(private)) == [(kind, private)]
    assert found(f"It says {private.partition('@')[0]} there.") == []


NEAR = [
    "ada@localhost or @ada, lodash@4.17.21, @types/node@18.0.0, a @ b.com",
    "+99 1234567, +1 23, version 3.11.7, 10.0.0.1, 2024-11-22 03:15:00, 1939-1945",
    "call me on 2024-11-22, during the 2000-2001 seasons, called it 1750-1900",
    "4111111111111112, 4111 1111 1111 1112, 4111 1111 1111, 1111222233334444",
    "0.4532015112830366 1.4111111111111111",
    "DE88370400440532013000, XX89370400440532013000, DE8937040044053201300",
    "000-12-3456, 666-12-3456, 536-90-43999, AB 12 34 56 E, BG 12 34 56 C",
    "54362315A, X2482300A, 131052-308S, 811228-9873, 756.9217.0769.84, 390.533.447-06",
    "111222333, 44051401359, 52998224725, 1234567890",
    "BSN 111222334, PESEL 44051401358, CPF 52998224726",
    "550e8400-e29b-41d4-a716-446655440000, 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "getUserAccountById2FromDatabaseConnection, /usr/lib/x86_64-linux-gnu/libFooBar2.so.6",
    "sk-learn, sk-short, task-force-and-other-long-words, eyJ.eyJ.x, AKIA",
    "-----BEGIN PUBLIC KEY-----, -----BEGIN CERTIFICATE-----",
    "password = getpass.getpass(), password: str, token: ${TOKEN}, api_key=os.environ['KEY'], password: ****",
    "A password is required. The secret is out, and the key is under the mat. secretary: Bob",
    "max_tokens=512, token: 50256, tokenizer=bert2, bearer of bad news, basic authentication",
    "http://localhost:8080/x, https://example.org/a:b, ftp://ada@example",
    "password: [SECRET_1], [EMAIL_1], [CARD_1]",
]


@pytest.mark.parametrize("text", [part for text in NEAR for part in (text, *text.split(", "))])
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    """Wrong check digits, dates, versions, hashes, identifiers and talk of secrets are nothing."""
    assert found(text) == []


def test_a_region_knows_its_own_numbers() -> None:
    """Numbers without a + are found where the region's numbering plan has them, written as there."""
    text = "Write to 030 901820 or 020 7946 0958."

    assert found(text) == []
    assert ("phone", "030 901820") in found(text, region="DE")
    assert found(text, region="GB") == [("phone", "020 7946 0958")]


def test_the_random_is_told_from_the_named() -> None:
    """Of random words of 32 characters at least nine in ten are found, of ordinary questions none."""
    draw = random.Random(4)
    words = ["".join(draw.choices(BASE62, k=32)) for _ in range(500)]
    rows = [json.loads(line) for path in QUESTIONS.glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]

    assert sum(found(f"x {word} y") == [("secret", word)] for word in words) > 450
    assert len(rows) > 3000
    assert [found(row["question"]) for row in rows if "question" in row and found(row["question"])] == []


def test_ordinary_numbers_are_mostly_left_alone() -> None:
    """Of random numbers of 6 to 12 digits fewer than one in a hundred is taken for something."""
    draw = random.Random(5)
    texts = [f"Is {draw.randrange(10**digits)} even?" for digits in range(6, 13) for _ in range(300)]

    assert sum(bool(found(text)) for text in texts) < len(texts) / 100


def test_cards_in_a_row_are_all_found() -> None:
    """However many numbers stand before and behind a card, it is found."""
    cards = ["4111 1111 1111 1111"] * 5

    assert found(" ".join(cards)) == [("card", card) for card in cards]
    assert found("\n".join(cards)) == [("card", card) for card in cards]
    assert found(" ".join(["1200 1300 130 1", cards[0], "12 27 123 1200 1300 1400"])) == [("card", cards[0])]


def test_overlapping_findings_are_one() -> None:
    """What overlaps is one finding over all of it, named for the strictest rule, then the longest."""
    patterns = (Pattern("word", r"mail ada"), Pattern("tail", r"org!"))
    text = "mail ada@example.org!"

    assert found(text) == [("email", "ada@example.org")]
    assert found(text, patterns=patterns) == [("email", text)]
    assert found(text, patterns=patterns, kinds={"tail": "never"}) == [("tail", text)]


def test_findings_stand_in_order_and_apart() -> None:
    """In any mixture findings come left to right, do not overlap, and are what the text says there."""
    draw = random.Random(6)
    for _ in range(100):
        parts = [draw.choice(TRUE)[1] for _ in range(5)]
        text = "".join(part + draw.choice([" ", ", ", "\n", "", "\u200b", " x "]) for part in parts)
        some = findings(text, Rules(patterns=(Pattern("x", "x"),)))

        assert all(each.text == text[each.start : each.end] != "" for each in some)
        assert all(one.end <= other.start for one, other in itertools.pairwise(some))


def test_a_pattern_finds_what_it_matches() -> None:
    """A pattern of the user's own is a kind; places where it matches nothing are left out."""
    rules = Rules(patterns=(Pattern("project", r"PRJ-\d+"), Pattern("edge", r"\b(?=Z)")))

    assert [(each.kind, each.text) for each in findings("PRJ-12, Zebra, PRJ-", rules)] == [("project", "PRJ-12")]


def test_a_key_that_is_broken_off_is_hidden_to_the_end() -> None:
    """A private key without an end takes the rest of the text with it."""
    text = "-----BEGIN OPENSSH PRIVATE" + " KEY-----\nb3BlbnNza\n\nHelp!"

    assert found(f"My key: {text}") == [("key", text)]


def test_a_finding_does_not_show_itself() -> None:
    """The repr says what was found and where, never the text."""
    (finding,) = findings("ada@example.org", Rules())

    assert repr(finding) == "Finding(kind='email', start=0, end=15)"
    assert finding == Finding("email", 0, 15, "ada@example.org")


def test_hostile_texts_take_no_longer_than_they_are_long() -> None:
    """Every text is read to its end, however much of it looks like a beginning."""
    for start in ("a", "1", "a@", "a.", "eyJ", "a://", "sk-", "+1 ", "-----BEGIN PRIVATE KEY-----", "password:", "1 "):
        findings(start * (20_000 // len(start)), Rules())
