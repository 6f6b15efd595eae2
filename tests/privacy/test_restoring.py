"""However a stream is cut, its placeholders come back, and no more is held back than must be."""

import random
from itertools import pairwise

import pytest

from edgecascade.privacy import Restorer, restored

ORIGINALS = {
    "[EMAIL_1]": "ada@example.org",
    "[EMAIL_12]": "grace@example.org",
    "[PHONE_1]": "+49 30 901820",
    "[NATIONAL_ID_1]": "536-90-4399",
    "[ID_1]": "[EMAIL_1]",
}
LONGEST = max(map(len, ORIGINALS))

TEXTS = {
    "Mail [EMAIL_1].": "Mail ada@example.org.",
    "[EMAIL_1][EMAIL_12][email_1]": "ada@example.orggrace@example.orgada@example.org",
    "Email_1, phone_1; EMAIL_12": "ada@example.org, +49 30 901820; grace@example.org",
    "**[Phone_1]** `[[PHONE_1]]`": "**+49 30 901820** `[+49 30 901820]`",
    "[EMAIL_1, EMAIL_1]": "[ada@example.org, ada@example.org]",
    "MY_EMAIL_1 EMAIL_123 EMAIL_1x xEMAIL_1 [EMAIL_13] [EMAIL_]": "MY_EMAIL_1 EMAIL_123 EMAIL_1x xEMAIL_1 [EMAIL_13] "
    "[EMAIL_]",
    "NATIONAL_ID_1 is [ID_1]; [NATIONAL_ID_1": "536-90-4399 is [EMAIL_1]; [536-90-4399",
    "EMAIL_1": "ada@example.org",
    "Écrivez à EMAIL_1は[": "Écrivez à ada@example.orgは[",
    "[E[EMAIL_1] [EMAIL_[EMAIL_1]": "[Eada@example.org [EMAIL_ada@example.org",
    "": "",
}


def streamed(pieces: list[str]) -> str:
    """Return what a stream of these pieces shows in all."""
    restorer = Restorer(ORIGINALS)
    return "".join([restorer.feed(piece) for piece in pieces] + [restorer.end()])


@pytest.mark.parametrize(("text", "wanted"), TEXTS.items())
def test_placeholders_come_back(text: str, wanted: str) -> None:
    """In brackets or as words, in any letter case; parts of longer words and unknown numbers are left alone."""
    assert restored(text, ORIGINALS) == wanted


@pytest.mark.parametrize("text", TEXTS)
def test_every_split_gives_the_same(text: str) -> None:
    """Cut in two anywhere, or into single characters, the stream shows what the whole text does."""
    for cut in range(len(text) + 1):
        assert streamed([text[:cut], text[cut:]]) == restored(text, ORIGINALS)
    assert streamed([*text]) == restored(text, ORIGINALS)


def test_random_splits_give_the_same() -> None:
    """Seeded texts of placeholders and their fragments show the same in whatever pieces, empty ones too."""
    draw = random.Random(8)
    fragments = [
        *ORIGINALS,
        *TEXTS,
        "[",
        "]",
        "EMAIL_1",
        "email_",
        "_1",
        "1",
        "2",
        " ",
        "x",
        "ID",
        "NATIONAL_",
        "\u017f",
        "\u212a",
    ]
    for _ in range(400):
        text = "".join(draw.choices(fragments, k=draw.randrange(1, 9)))
        cuts = sorted(draw.choices(range(len(text) + 1), k=draw.randrange(0, 12)))

        assert streamed([text[a:b] for a, b in pairwise([0, *cuts, len(text)])]) == restored(text, ORIGINALS)


@pytest.mark.parametrize(
    "text", ["Hello everyone, [E] [EMAIL_] [[x] EMAIL_123 [EMAIL_1x", "[EMAIL_13] xEMAIL_1 [N I ["]
)
def test_no_more_is_held_back_than_must_be(text: str) -> None:
    """In a text without placeholders all is shown at once but what one may begin with, less than the longest."""
    forms = [form.lower() for placeholder in ORIGINALS for form in (placeholder, placeholder[1:-1])]
    restorer, shown = Restorer(ORIGINALS), ""
    for end in range(1, len(text) + 1):
        shown += restorer.feed(text[end - 1])
        held = text[len(shown) : end]

        assert shown == text[: len(shown)]
        assert len(held) < LONGEST
        assert not held or any(form.startswith(held.lower()) for form in forms)


def test_without_originals_all_passes_at_once() -> None:
    """Nothing is held back where nothing was hidden."""
    restorer = Restorer({})

    assert [restorer.feed("[EMAIL_"), restorer.feed("1"), restorer.end()] == ["[EMAIL_", "1", ""]


def test_the_originals_are_never_read_again() -> None:
    """An original that looks like a placeholder stays what it is."""
    assert restored("[ID_1] [EMAIL_1]", ORIGINALS) == "[EMAIL_1] ada@example.org"
