"""Memory that is gone back to, on models that can, cannot, or look back only so far; and their missing templates.

The models are tiny and their weights random, so each logit depends on everything before it: a context that kept a
wrong token, or lost a right one, gives other numbers.
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from edgecascade.errors import ChatTemplateError
from edgecascade.llama.chat_template import CHATML
from edgecascade.llama.engine import Engine
from edgecascade.records import Ending, Message, Question, Sampling, Token

ARCHITECTURES = ("llama", "gemma3", "mamba")
KEEP_THEIR_PAST = ("llama", "gemma3")
LONG = (
    "Why is the sky blue, and since when has it been? " * 8
)  # more than what a sliding window keeps when it may forget
ASKED = (LONG, "And why is the sea?", "Which of the two is the older?")
GREEDY, WARM = Sampling(max_tokens=20), Sampling(max_tokens=20, temperature=1.0, seed=7)

Seen = list[tuple[int, float, float]]
Write = Callable[..., Path]
Open = Callable[..., Engine]


class Countdown(threading.Event):
    """An event that is set once it has been looked at so often."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        """Return whether that often has passed."""
        self.looks -= 1
        return self.looks < 0


@pytest.fixture(params=ARCHITECTURES)
def path(request: pytest.FixtureRequest, write_model: Write) -> Path:
    """Return a model that forgets freely, one with a sliding window, one that cannot go back at all."""
    return write_model(request.param)


def drained(stream: Iterator[Token]) -> tuple[list[Token], Ending]:
    """Return the tokens of a stream and how it ended."""
    tokens = []
    while True:
        try:
            tokens.append(next(stream))
        except StopIteration as stop:
            return tokens, stop.value


def seen(tokens: Sequence[Token]) -> Seen:
    """Return what must be the same to the last bit."""
    return [(token.id, token.logprob, token.entropy) for token in tokens]


def turns(engine: Engine) -> Iterator[tuple[Question, list[Token], Ending]]:
    """Yield each turn of a talk, the engine asked when the turn is taken."""
    said: tuple[Message, ...] = ()
    for text in ASKED:
        question = Question((*said, Message("user", text)), GREEDY)
        tokens, ending = drained(engine.stream(question))
        yield question, tokens, ending
        said = (*question.messages, Message("assistant", "".join(token.text for token in tokens)))


def two_turns(engine: Engine) -> tuple[Question, list[Token], Question]:
    """Return the first turn's question and answer, as asked now, and the second turn's question."""
    question, tokens, _ = next(turns(engine))
    answer = Message("assistant", "".join(token.text for token in tokens))
    return question, tokens, Question((*question.messages, answer, Message("user", ASKED[1])), GREEDY)


def alone(open_tiny: Open, path: Path, question: Question) -> Seen:
    """Return the answer of an engine that was never asked anything else."""
    with open_tiny(path) as engine:
        return seen(drained(engine.stream(question))[0])


def test_turns_are_as_if_asked_alone(path: Path, open_tiny: Open) -> None:
    """Every turn of a talk is bit-identical to the same question put to a fresh engine."""
    with open_tiny(path) as engine:
        talk = [(question, seen(tokens)) for question, tokens, _ in turns(engine)]

    assert [alone(open_tiny, path, question) for question, _ in talk] == [found for _, found in talk]


@pytest.mark.parametrize("architecture", KEEP_THEIR_PAST)
def test_whole_chunks_are_reused(architecture: str, write_model: Write, open_tiny: Open) -> None:
    """Of a growing talk, all whole chunks of the previous prompt are kept, behind a sliding window too."""
    with open_tiny(write_model(architecture)) as engine:
        reused = [ending.reused_tokens for _, _, ending in turns(engine)]
        read = [len(engine.tokens_of(question.messages)) for question, _, _ in turns(engine)]

    assert reused == [0, *(length // 32 * 32 for length in read[:-1])]
    assert all(reused[1:])


def test_recurrent_model_reads_all_again(write_model: Write, open_tiny: Open) -> None:
    """A model that cannot go back reuses nothing, and says so."""
    with open_tiny(write_model("mamba")) as engine:
        reused = [ending.reused_tokens for _, _, ending in turns(engine)]

    assert reused == [0, 0, 0]


@pytest.mark.parametrize("looks", [0, 1, 2, 5, 20, 50])
def test_cancelled_prefill_leaves_nothing_behind(looks: int, path: Path, open_tiny: Open) -> None:
    """A prompt whose reading was cancelled, between chunks or inside one, is answered as if first asked."""
    with open_tiny(path) as engine:
        _, _, second = two_turns(engine)
        tokens, ending = drained(engine.stream(second, cancel=Countdown(looks)))
        again, _ = drained(engine.stream(second))

    assert (tokens, ending.finish_reason) == ([], "cancelled")
    assert seen(again) == alone(open_tiny, path, second)


def test_cancelled_prefill_of_the_first_prompt(path: Path, open_tiny: Open) -> None:
    """A fresh engine whose first prompt was cancelled inside a chunk answers like a fresh engine."""
    question = Question.of(LONG, sampling=GREEDY)
    with open_tiny(path) as engine:
        _, ending = drained(engine.stream(question, cancel=Countdown(100)))
        again, _ = drained(engine.stream(question))

    assert ending.finish_reason == "cancelled"
    assert seen(again) == alone(open_tiny, path, question)


def test_abandoned_answer_leaves_nothing_behind(path: Path, open_tiny: Open) -> None:
    """A stream closed in the middle of its answer does not change the next one."""
    with open_tiny(path) as engine:
        _, _, second = two_turns(engine)
        stream = engine.stream(second)
        _ = [next(stream) for _ in range(5)]
        stream.close()
        again, _ = drained(engine.stream(second))

    assert seen(again) == alone(open_tiny, path, second)


def test_samples_leave_the_next_answer_alone(path: Path, open_tiny: Open) -> None:
    """Eight samples side by side are repeatable, differ, and leave the next answer bit-identical."""
    with open_tiny(path) as engine:
        question, _, second = two_turns(engine)
        warm = Question(question.messages, WARM)
        first = [(number, token.id) for number, token in engine.stream_samples(warm, 8)]
        again = [(number, token.id) for number, token in engine.stream_samples(warm, 8)]
        answer, _ = drained(engine.stream(second))

    assert first == again
    assert len({tuple(token for number, token in first if number == own) for own in range(8)}) == 8
    assert seen(answer) == alone(open_tiny, path, second)


def test_abandoned_samples_leave_the_next_answer_alone(path: Path, open_tiny: Open) -> None:
    """Samples dropped half-way leave the next answer bit-identical."""
    with open_tiny(path) as engine:
        question, _, second = two_turns(engine)
        samples = engine.stream_samples(Question(question.messages, WARM), 8)
        _ = [next(samples) for _ in range(20)]
        samples.close()
        answer, _ = drained(engine.stream(second))

    assert seen(answer) == alone(open_tiny, path, second)


def test_first_sample_is_the_answer(path: Path, open_tiny: Open) -> None:
    """The likeliest tokens after the same prompt are the same one by one, alone or beside others that are dropped."""
    question = Question.of(ASKED[0], sampling=GREEDY)
    with open_tiny(path) as engine:
        first_of_each = dict(engine.stream_samples(Question(question.messages, Sampling(max_tokens=1)), 4))

    assert {seen([token])[0] for token in first_of_each.values()} == set(alone(open_tiny, path, question)[:1])


def test_aside_leaves_the_context_as_it_was(path: Path, open_tiny: Open) -> None:
    """A question asked aside is free of the answer's tokens, and changes neither reuse nor logits of the next turn."""
    with open_tiny(path) as engine:
        question, answer, second = two_turns(engine)
        _, plain = drained(engine.stream(second))
    with open_tiny(path) as engine:
        question, answer, second = two_turns(engine)
        aside, ending = drained(engine.aside(question, answer, "Are you sure?"))
        after, found = drained(engine.stream(second))

    assert len(aside) == ending.completion_tokens > 0
    assert ending.reused_tokens == len(engine_prompt(open_tiny, path, question)) + len(answer) - 1
    assert found.reused_tokens == plain.reused_tokens
    assert seen(after) == alone(open_tiny, path, second)


def test_aside_is_repeatable(path: Path, open_tiny: Open) -> None:
    """The same question asked aside twice gets the same answer to the last bit."""
    with open_tiny(path) as engine:
        question, answer, _ = two_turns(engine)
        first, _ = drained(engine.aside(question, answer, "Are you sure?"))
        again, _ = drained(engine.aside(question, answer, "Are you sure?"))

    assert seen(first) == seen(again)


@pytest.mark.parametrize("looks", [0, 1, 10, 30])
def test_cancelled_aside_leaves_the_context_as_it_was(looks: int, path: Path, open_tiny: Open) -> None:
    """A question aside that was cancelled while it was read does not change the next one, nor the next turn."""
    with open_tiny(path) as engine:
        question, answer, second = two_turns(engine)
        whole, _ = drained(engine.aside(question, answer, "Are you sure?"))
        _, ending = drained(engine.aside(question, answer, "Are you sure?", cancel=Countdown(looks)))
        again, _ = drained(engine.aside(question, answer, "Are you sure?"))
        after, _ = drained(engine.stream(second))

    assert ending.finish_reason == "cancelled"
    assert seen(again) == seen(whole)
    assert seen(after) == alone(open_tiny, path, second)


def test_aside_about_an_earlier_answer(path: Path, open_tiny: Open) -> None:
    """An answer that is no longer in memory is read again, and the talk goes on bit-identical."""
    with open_tiny(path) as engine:
        question, answer, second = two_turns(engine)
        drained(engine.stream(Question.of("Something else entirely, and at some length.", sampling=GREEDY)))
        aside, _ = drained(engine.aside(question, answer, "Are you sure?"))
        after, _ = drained(engine.stream(second))

    assert aside
    assert seen(after) == alone(open_tiny, path, second)


def engine_prompt(open_tiny: Open, path: Path, question: Question) -> list[int]:
    """Return the tokens of a question's prompt."""
    with open_tiny(path) as engine:
        return engine.tokens_of(question.messages)


# Where the template comes from, and how a prompt begins.


def test_model_without_any_chat_format(write_model: Write, open_tiny: Open) -> None:
    """A model with neither template nor known control tokens is refused with the formats to choose from."""
    path = write_model("llama")

    with pytest.raises(ChatTemplateError, match=re.escape("choose a format with --template (chatml, llama3")):
        open_tiny(path, template=None)


def test_chat_format_given_by_hand(write_model: Write, run_cli: Callable[..., object]) -> None:
    """On the command line such a model ends with exit code 3, and answers with --template plain."""
    path = write_model("llama")

    refused = run_cli("ask", "-m", path, "--max-tokens", 4, "Hi")
    answered = run_cli("ask", "-m", path, "--max-tokens", 4, "--template", "plain", "Hi")

    assert (refused.returncode, refused.stdout) == (3, "")
    assert "no chat template" in refused.stderr and "--template" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert (answered.returncode, len(answered.stdout.strip())) == (0, 4)


def test_vocabulary_shows_the_format(write_model: Write, open_tiny: Open) -> None:
    """Without a template, a vocabulary with <|im_start|> is spoken to in ChatML, its markers one token each."""
    path = write_model("llama", controls=("<|im_start|>", "<|im_end|>"))
    with open_tiny(path, template=None) as engine:
        tokens = engine.tokens_of([Message("user", "Hi <|im_end|>")])

        assert engine.template.source == CHATML
        assert [tokens.count(marker) for marker in (260, 261)] == [2, 1]
        assert engine.vocabulary.is_end(261)


@pytest.mark.parametrize("adds", [True, False])
@pytest.mark.parametrize("writes", [True, False])
def test_a_prompt_begins_with_one_bos(adds: bool, writes: bool, write_model: Write, open_tiny: Open) -> None:
    """BOS stands at the front once if the model or its template wants it, whatever people type, and else nowhere."""
    template = ("{{ bos_token }}" if writes else "") + "{% for m in messages %}{{ m.content }}{% endfor %}"
    path = write_model("llama", template=template, metadata={"tokenizer.ggml.add_bos_token": adds})
    with open_tiny(path, template=None) as engine:
        tokens = engine.tokens_of([Message("user", "<s>Hi <s>")])

        assert tokens.count(engine.vocabulary.bos) == (adds or writes)
        assert (tokens[0] == engine.vocabulary.bos) == (adds or writes)
