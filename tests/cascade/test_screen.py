"""Whatever is shown, held, released and taken away: what the user is left with is the answer."""

import random
from collections.abc import Iterable

from edgecascade.cascade.screen import Screen
from edgecascade.records import Answer, Delta, Event, Handoff, Timings, Usage

PIECES = ("The", " answer", " is", "\n", "  ", "", " 42", ".", "\t", " \n ", "é", "naïve ", " ", "\u00a0x", "\u3000")


class Client:
    """The simplest one: it adds what comes, and takes away what is replaced."""

    def __init__(self) -> None:
        self.text, self.handoffs, self.deltas = "", 0, 0

    def see(self, events: Iterable[Event]) -> None:
        """Follow some events."""
        for event in events:
            if isinstance(event, Delta):
                assert event.text
                self.text += event.text
                self.deltas += 1
            if isinstance(event, Handoff):
                assert event.replaces in ("", self.text)
                self.text = self.text.removesuffix(event.replaces)
                self.handoffs += bool(event.replaces)


def answer(text: str) -> Answer:
    """An answer of this text."""
    return Answer(
        id="1", text=text, tier="local", model="m", p_correct=None, threshold=None, promise=None, calibration=None,
        mean_token_probability=None, reason="", finish_reason="end", usage=Usage(0, 0),
        timings=Timings(0, 0, 0, 0, 0), signals={},
    )  # fmt: skip


def pieces(dice: random.Random) -> list[str]:
    """Up to eight pieces of text and white space."""
    return dice.choices(PIECES, k=dice.randrange(9))


def written(screen: Screen, client: Client, said: list[str], *, held: bool, release: int | None) -> str:
    """Let a tier write on the screen, released before a piece or never, and return what it wrote."""
    screen.begin(held=held)
    for number, piece in enumerate(said):
        if number == release:
            client.see(screen.release("tier", "device"))
        client.see(screen.piece(piece, "tier", "device"))
    return "".join(said)


def test_the_client_ends_with_the_answer() -> None:
    """To the letter, in 3,000 seeded courses of drafts, hand-offs, continuations and fall-backs."""
    for seed in range(3000):
        dice, screen, client, drafts = random.Random(seed), Screen(), Client(), [""]
        for tier in range(dice.randrange(1, 4)):
            keep = tier > 0 and dice.random() < 0.3
            if tier:
                client.see([screen.hand_off("tier", "broken_off", "it broke off", keep=keep)])
            before = drafts[-1] if keep else ""
            held = dice.random() < 0.5 and not keep
            drafts.append(
                before + written(screen, client, pieces(dice), held=held, release=dice.choice((None, 0, 1, 4)))
            )
        chosen = dice.choice(drafts[1:] + drafts[-1:] * 3).strip()
        client.see(screen.settle(answer(chosen), "tier", "device"))

        assert client.text == chosen == screen.shown


def test_what_is_shown_in_between_begins_the_draft() -> None:
    """Never more than the text so far, never with white space around it."""
    for seed in range(500):
        dice, screen, client, so_far = random.Random(seed), Screen(), Client(), ""
        screen.begin(held=False)
        for piece in pieces(dice):
            client.see(screen.piece(piece, "tier", "device"))
            so_far += piece

            assert client.text == so_far.strip()


def test_a_kept_draft_is_never_taken_away() -> None:
    """Held, shown at once, or released in the middle: no hand-off, and every piece once."""
    for seed in range(1000):
        dice, screen, client = random.Random(seed), Screen(), Client()
        said = written(screen, client, pieces(dice), held=dice.random() < 0.7, release=dice.choice((None, 0, 3)))
        client.see(screen.settle(answer(said.strip()), "tier", "device"))

        assert client.text == said.strip() and client.handoffs == 0


def test_what_is_held_is_not_seen() -> None:
    """Nothing of a draft that is replaced, so nothing has to be taken away."""
    screen, client = Screen(), Client()
    written(screen, client, ["Lyon", "."], held=True, release=None)
    client.see([screen.hand_off("cloud", "not_kept", "p_correct 0.20, kept from 0.60")])
    written(screen, client, ["Paris", "."], held=False, release=None)
    client.see(screen.settle(answer("Paris."), "cloud", "cloud"))

    assert (client.text, client.handoffs, client.deltas) == ("Paris.", 0, 2)


def test_a_draft_that_was_shown_is_taken_away_whole() -> None:
    """By one event that names what stood there."""
    screen, client = Screen(), Client()
    written(screen, client, [" Lyon", ". "], held=False, release=None)
    event = screen.hand_off("cloud", "not_kept", "p_correct 0.20, kept from 0.60")

    assert event.replaces == client.text == "Lyon."
    assert screen.shown == ""


def test_a_held_draft_that_is_kept_comes_in_one_piece() -> None:
    """When it was decided, all at once; once released, as it is written."""
    held, released = Client(), Client()
    for client, release in ((held, None), (released, 1)):
        screen = Screen()
        written(screen, client, ["It", " is", " so"], held=True, release=release)
        client.see(screen.settle(answer("It is so"), "tier", "device"))

    assert (held.deltas, released.deltas) == (1, 3)


def test_a_fall_back_takes_the_broken_answer_away() -> None:
    """The cloud's part stood on the screen, the device's whole answer is given."""
    screen, client = Screen(), Client()
    written(screen, client, ["Lyon."], held=True, release=None)
    client.see([screen.hand_off("cloud", "not_kept", "why")])
    written(screen, client, ["Par"], held=False, release=None)
    client.see(screen.settle(answer("Lyon."), "device", "device"))

    assert (client.text, client.handoffs) == ("Lyon.", 1)
