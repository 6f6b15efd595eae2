"""One answer, timed: its parts are what the device took, a prompt is as long as asked, and a deadline holds."""

from typing import Any

import pytest

from edgecascade.measure.timing import STORY, prompt_of, timed
from edgecascade.records import Question, Sampling


def test_each_part_is_what_the_device_took(device: Any) -> None:
    """Reading, the first token and each further one are told apart."""
    question = Question.of(STORY, sampling=Sampling(max_tokens=11))
    words = len(STORY.split())

    found = timed(device, question, clock=device.clock, end=1e9)

    assert found is not None
    assert (found.depth, found.read, found.written) == (words, words, 11)
    assert found.read_s == pytest.approx(words * 0.01)
    assert found.first_s == pytest.approx(words * 0.01 + device.a_token(device.settings, words))
    assert found.write_s == pytest.approx(device.a_token(device.settings, words + 5.5))


def test_an_answer_is_cut_off_at_its_end(device: Any) -> None:
    """No more is written once the time is over, and what was written by then counts."""
    question = Question.of("Hello.", sampling=Sampling(max_tokens=1000))

    found = timed(device, question, clock=device.clock, end=2.0)

    assert found is not None and 2 < found.written < 30
    assert device.now == pytest.approx(2.0, abs=0.2)


def test_a_prompt_that_takes_too_long_gives_nothing(device: Any) -> None:
    """Where reading is not done by the end, there is no figure at all."""
    question = prompt_of(device, 500, mark=1)

    assert timed(device, question, clock=device.clock, end=1.0) is None


@pytest.mark.parametrize("tokens", [16, 64, 256, 1024])
def test_a_prompt_is_as_long_as_asked_and_unlike_another(device: Any, tokens: int) -> None:
    """It has at most so many tokens, all but a few of them, and another mark changes its very beginning."""
    one, other = (prompt_of(device, tokens, mark=mark).messages[0].content for mark in (1, 2))

    assert tokens - 2 <= len(one.split()) <= tokens
    assert one.split()[0] != other.split()[0]


def test_a_shorter_prompt_of_the_same_mark_is_a_beginning(device: Any) -> None:
    """But for the task at its end, so that what was read for one depth is reused for the next."""
    short, long = (prompt_of(device, tokens, mark=0, task=STORY).messages[0].content for tokens in (256, 512))

    assert long.startswith(short.removesuffix(STORY).rstrip())


def test_a_task_that_is_too_long_stands_alone(device: Any) -> None:
    """A prompt is never cut below its task."""
    assert prompt_of(device, 3, mark=0, task=STORY).messages[0].content == STORY
