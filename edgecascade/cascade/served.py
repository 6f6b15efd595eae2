"""A running server as the local tier: its log-probabilities are the signals, calibrated like any other's.

llama-server, ollama (0.12.11 or later), vLLM, or whatever else speaks OpenAI's chat completions with log-probabilities.
Different from a model in this process: there are no hidden states and no ``logsumexp``; the entropy is of the named
alternatives and the rest; and no gate looks at a draft, because a server tells the length of the prompt only at the
end. Whatever server is named here is "the device": what it is asked passes no privacy rule and no budget.
"""

import hashlib
import json
import threading
import time
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from edgecascade.cascade.gating import Gate
from edgecascade.cloud.client import CloudClient, CloudPool, Timeouts
from edgecascade.cloud.described import UNKNOWN, Described, described
from edgecascade.cloud.specs import CloudSpec
from edgecascade.errors import CloudError, ContextLengthError
from edgecascade.evidence import UNKNOWN as UNKNOWN_ESTIMATE
from edgecascade.identity import UNTOLD, Identity, sampler_of
from edgecascade.judging import Judge, judge_for
from edgecascade.llama.engine import Engine, WhenRead
from edgecascade.local import identity_of
from edgecascade.records import Calibration, Draft, Ending, Estimate, Question, Sampling, Token
from edgecascade.store.paths import Folders

FIRST_BYTE = 300.0
"""Seconds: a server may have to load the model first."""

LOOK_AGAIN = 60.0
"""Seconds after which a server is asked once more what it serves: it may have been started with another model."""

NO_LOGPROBS = (
    "the server tells no log-probabilities: found text alone, wanted those of each token; llama-server and vLLM tell "
    "them, ollama from 0.12.11 on, llama-cpp-python's with --logits_all, LM Studio's chat completions do not"
)


class ServedTier:
    """A server that stands for the model on this device; ``close()`` closes its connections.

    fitted   the fitted file to use; None: the user's own
    epsilon  the risk of its ladder that is promised; None: its own
    """

    place: Literal["device"] = "device"
    load_seconds = 0.0
    system: str | None = None
    width = 0

    def __init__(
        self,
        spec: CloudSpec,
        folders: Folders,
        *,
        fitted: Path | None = None,
        epsilon: float | None = None,
        pool: CloudPool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask the server what it serves; CloudError where it is not there. A pool that is given is not closed."""
        self._folders, self._fitted, self._epsilon, self._clock = folders, fitted, epsilon, clock
        self._described, self._looked = described(spec), clock()
        self._spec = replace(spec, model=self._described.model)
        self.name = f"{spec.name.partition('#')[0]}#{short(self._described.model)}"
        self._pool, self._owned = pool or CloudPool(timeouts=Timeouts(first_byte=FIRST_BYTE)), pool is None
        self._client = CloudClient(self._spec, self._pool, place="device", logprobs=True)
        self._judges: dict[str, Judge | None] = {}
        self._guard = threading.Lock()

    def close(self) -> None:
        """Close its connections."""
        if self._owned:
            self._pool.close()

    def __enter__(self) -> "ServedTier":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
        when_read: WhenRead | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the tokens of an answer, and return how it ended; hidden states no server tells."""
        stream = self._client.stream(question, alternatives=alternatives, cancel=cancel)
        try:
            while True:
                yield numbered(next(stream))
        except StopIteration as stop:
            ending: Ending = stop.value
            return replace(ending, served_by=None)  # often a path: the tier's own name says it better
        except CloudError as error:
            if error.code == "refused" and "context" in str(error):
                raise ContextLengthError(str(error)) from error
            raise
        finally:
            stream.close()

    def stream_samples(
        self, question: Question, samples: int, *, cancel: threading.Event | None = None
    ) -> Generator[tuple[int, Token], None, tuple[Ending, ...]]:
        """Yield (number, token) of several answers, one after another, and return how each ended."""
        endings = []
        for number in range(samples):
            ending = yield from _as_sample(number, self.stream(_drawn_anew(question, number), cancel=cancel))
            endings.append(ending)
        return tuple(endings)

    def identity(self, sampling: Sampling, *, held: bool = False) -> Identity:
        """Return what a calibration of this server is bound to; ``held``: to a grammar or a schema."""
        return identity_served(self._now(), sampling, held=held)

    def judge(self, question: Question) -> Judge | None:
        """Return what judges answers to such a question; None without a fitted file."""
        here = self.identity(question.sampling, held=_held(question))
        key = json.dumps(here.as_json(), sort_keys=True)
        with self._guard:
            if key not in self._judges:
                self._judges[key] = judge_for(here, self._folders, explicit=self._fitted, epsilon=self._epsilon)
            return self._judges[key]

    def gates(self, question: Question) -> Sequence[Gate]:
        """Return that no gate looks."""
        return ()

    def wants_hidden(self, question: Question) -> bool:
        """Return that no hidden state is asked for."""
        return False

    def estimate(self, question: Question, draft: Draft, measured: Mapping[str, float] | None = None) -> Estimate:
        """Return what the fitted file says of a draft; unknown without one, or without log-probabilities."""
        judge = self.judge(question)
        if draft.text and not draft.tokens:
            id = judge.fitted.file.id if judge else ""
            return replace(UNKNOWN_ESTIMATE, calibration=Calibration(id, "refused", NO_LOGPROBS))
        return judge(question, draft, measured) if judge else UNKNOWN_ESTIMATE

    def run_of(self, question: Question) -> dict[str, Any]:
        """Return what is recorded of how it runs."""
        first = question.messages[0]
        system = first.content if first.role == "system" else None
        identity = self.identity(question.sampling, held=_held(question))
        return {"identity": asdict(identity), "system": system, "width": self.width}

    def _now(self) -> Described:
        """Return the server's description, at most a minute old; the last one where it is not there now."""
        with self._guard:
            if self._clock() - self._looked >= LOOK_AGAIN:
                self._looked = self._clock()
                with suppress(CloudError):
                    self._described = described(self._spec)
            return self._described


def identity_served(server: Described, sampling: Sampling, *, held: bool = False) -> Identity:
    """Return the identity of what a server describes.

    Its ``sha256`` is of the description, so that a fitted file of the same weights in this process, which sees more of
    them, stays apart. Where the description tells no file from another it is marked, and nothing is promised.
    """
    kind = server.library.partition(" ")[0]
    weights = _sha256([kind, server.weights or server.model])
    return Identity(
        model=short(server.model),
        sha256=weights if server.weights else weights + UNTOLD,
        family=f"{kind} {_sha256([kind, server.shape])[:16]}",
        quantisation=server.quantisation,
        template=UNKNOWN if server.template == UNKNOWN else _sha256(server.template)[:16],
        sampler=sampler_of(sampling),
        grammar=held,
        library=server.library,
        backend=UNKNOWN,
        chunk=0,
        sequences=server.sequences,
        context=server.context,
        kv_type=UNKNOWN,
        flash_attention=UNKNOWN,
        use_extra_bufts=False,
    )


def identity_here(tier: Engine | ServedTier, sampling: Sampling, *, sha256: str) -> Identity:
    """Return what a calibration is bound to; ``sha256`` of the weights of an engine, a server describes its own."""
    return tier.identity(sampling) if isinstance(tier, ServedTier) else identity_of(tier, sampling, sha256=sha256)


def short(model: str) -> str:
    """Return a model's name without the folders that it lies in.

    >>> short("/models/tiny.Q4_1.gguf"), short("llama3.2:1b")
    ('tiny.Q4_1', 'llama3.2:1b')
    """
    return model.rpartition("/")[2].removesuffix(".gguf")


def numbered(token: Token) -> Token:
    """Return the token with numbers for the texts that the server told without: fingerprints compare numbers.

    >>> numbered(Token.untold("Paris", 0.1)).id == numbered(Token.untold("Paris", 0.2)).id
    True
    """
    others = tuple(other if other.id >= 0 else replace(other, id=_number(other.text)) for other in token.alternatives)
    return replace(token, id=token.id if token.id >= 0 else _number(token.text), alternatives=others)


def _number(text: str) -> int:
    return zlib.crc32(text.encode())


def _as_sample(number: int, stream: Generator[Token, None, Ending]) -> Generator[tuple[int, Token], None, Ending]:
    try:
        while True:
            yield number, next(stream)
    except StopIteration as stop:
        ending: Ending = stop.value
        return ending
    finally:
        stream.close()


def _drawn_anew(question: Question, number: int) -> Question:
    """Return the question with another seed for each sample, where there is one: else all would be the same."""
    seed = question.sampling.seed
    if seed is None:
        return question
    return replace(question, sampling=replace(question.sampling, seed=seed + number))


def _held(question: Question) -> bool:
    return question.schema is not None or question.sampling.grammar is not None


def _sha256(what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
