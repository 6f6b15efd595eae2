"""What may be shown, and when."""

import random

from edgecascade.llama.text import TextAssembler


def test_any_split_of_the_bytes_gives_the_same_text() -> None:
    """However tokens cut a text, the pieces add up to it, and no piece holds half a character."""
    text = "naïve 東京 🏳️‍🌈 ok"
    for seed in range(200):
        random.seed(seed)
        data, assembler, pieces = text.encode(), TextAssembler(stop=["never"]), []
        while data:
            cut = random.randint(1, 5)
            pieces.append(assembler.feed(data[:cut]))
            data = data[cut:]

        assert "".join(pieces) + assembler.finish() == text
        assert "\ufffd" not in "".join(pieces)


def test_a_stop_string_ends_the_text_wherever_it_is_cut() -> None:
    """The text ends before the first stop string, and nothing of it is ever shown."""
    for seed in range(200):
        random.seed(seed)
        data, assembler, shown = b"one two STOPPED and on", TextAssembler(stop=["STOPPED", "and"]), ""
        while data:
            cut = random.randint(1, 6)
            shown += assembler.feed(data[:cut])
            data = data[cut:]

        assert assembler.stopped
        assert shown + assembler.finish() == "one two "


def test_an_unfinished_stop_string_is_text_after_all() -> None:
    """What looked like the beginning of a stop string is given when the answer ends."""
    assembler = TextAssembler(stop=["STOP"])

    assert assembler.feed(b"ST") == ""
    assert assembler.finish() == "ST"


def test_bytes_that_never_become_a_character_are_marked() -> None:
    """An answer that is cut inside a character ends in U+FFFD rather than in an error."""
    assembler = TextAssembler()

    assert assembler.feed("é".encode()[:1]) == ""
    assert assembler.finish() == "\ufffd"
