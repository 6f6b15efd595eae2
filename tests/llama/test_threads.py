"""With how many threads an engine decodes: asked for while it does, and what that changes of an answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edgecascade.llama.context import LOOK_SECONDS, ThreadsNow
from edgecascade.llama.engine import Engine
from edgecascade.llama.settings import EngineSettings
from edgecascade.records import Question, Sampling

FRANCE = Question.of("What is the capital of France?", sampling=Sampling(max_tokens=3))
LONG = Question.of("Why is the sky blue? " * 30, sampling=Sampling(max_tokens=8))
SHORT = Question.of("Why?", sampling=Sampling(max_tokens=8))

Bits = list[tuple[int, float, float, float]]


class Cores:
    """What an engine asks for its threads: always the same answer, and a count of who came."""

    def __init__(self, threads: int) -> None:
        self.threads, self.asked, self.inside, self.entered = threads, 0, 0, 0

    def now(self) -> int:
        """Return the threads, and count the question."""
        self.asked += 1
        return self.threads

    @contextmanager
    def shared(self) -> Iterator[ThreadsNow]:
        """Count who decodes."""
        self.inside, self.entered = self.inside + 1, self.entered + 1
        try:
            yield self.now
        finally:
            self.inside -= 1


def bits(engine: Engine, question: Question) -> Bits:
    """All of an answer that is to be the same."""
    return [(token.id, token.logprob, token.entropy, token.logsumexp) for token in engine.stream(question)]


def threads_of(engine: Engine) -> int:
    """What the library was last told."""
    assert engine._context
    threads: int = engine._context.native.llama_n_threads(engine._context._context)
    return threads


@pytest.fixture
def open_sharing(write_model: Callable[..., Path]) -> Callable[[Cores], Engine]:
    """Return what opens a tiny model with two threads of its own, and somebody who may say otherwise."""
    path = write_model()
    settings = EngineSettings(chunk=32, context=1024, template="plain", threads=2)
    return lambda cores: Engine(path, settings, sharing=cores.shared)


def test_threads_are_asked_for_before_an_answer(open_sharing: Callable[[Cores], Engine]) -> None:
    """An answer is decoded with what it is told, and is over when it is closed, however it ends; the next asks anew."""
    cores = Cores(1)
    with open_sharing(cores) as engine:
        before = threads_of(engine)
        stream = engine.stream(SHORT)
        next(stream)
        during = (threads_of(engine), cores.inside)
        stream.close()
        bits(engine, SHORT)

        assert (before, during, cores.inside) == (2, (1, 1), 0)
        assert cores.asked >= 2 and cores.entered == 2


def test_an_engine_that_does_not_decode_takes_no_cores(open_sharing: Callable[[Cores], Engine]) -> None:
    """An open engine at rest counts for nothing."""
    cores = Cores(1)
    with open_sharing(cores):
        assert (cores.inside, cores.entered, cores.asked) == (0, 0, 0)


def test_threads_are_asked_for_seldom(open_sharing: Callable[[Cores], Engine]) -> None:
    """An answer of some milliseconds asks once; one may ask again after a quarter of a second, not at every token."""
    cores = Cores(1)
    with open_sharing(cores) as engine:
        tokens = list(engine.stream(LONG))

    assert 1 <= cores.asked <= 2 + sum(token.seconds for token in tokens) / LOOK_SECONDS


def test_without_anybody_to_ask_the_settings_hold(write_model: Callable[..., Path]) -> None:
    """An engine of one's own decodes with its own threads."""
    with Engine(write_model(), EngineSettings(context=512, template="plain", threads=2)) as engine:
        bits(engine, SHORT)

        assert threads_of(engine) == 2


def test_threads_change_no_bit_of_a_short_answer(model_path: Path, engine: Engine) -> None:
    """The real model says the same to the last bit with one thread and with two, while little is in its memory."""
    opened = [Engine(model_path, replace(engine.settings, context=512, threads=threads)) for threads in (1, 2)]
    answers = [bits(each, FRANCE) for each in opened]
    for each in opened:
        each.close()

    assert answers[0] == answers[1]


def test_without_flash_attention_threads_change_no_bit_at_all(write_model: Callable[..., Path]) -> None:
    """Also behind more tokens than flash attention on a processor leaves whole."""
    settings = EngineSettings(chunk=32, context=1024, template="plain", flash_attention="off")
    path, answers = write_model(), []
    for threads in (1, 2):
        with Engine(path, replace(settings, threads=threads)) as engine:
            assert len(engine.tokens_of(LONG.messages)) > 512
            answers.append(bits(engine, LONG))

    assert answers[0] == answers[1]
