"""When a calibration holds, found out on real files: run in another way, with another template, quantised anew."""

import ctypes
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgecascade.calibrate.collect import first_token
from edgecascade.fingerprint import PROMPTS, difference, fingerprint
from edgecascade.identity import Identity, verdict
from edgecascade.llama.chat_template import CHATML
from edgecascade.llama.engine import Engine
from edgecascade.local import identity_of
from edgecascade.records import Question, Sampling, Token
from edgecascade.store.files import sha256_of

STRIDE = 8
"""Every eighth prompt of the fingerprint is asked here: enough to tell weights apart, and eight times as fast."""


class Sparse:
    """Asks an engine every eighth prompt, and says of the seven behind it the same."""

    def __init__(self, engine: Engine) -> None:
        self.ask, self.count = first_token(engine), 0

    def __call__(self, question: Question) -> Token:
        """Return the first token."""
        if self.count % STRIDE == 0:
            self.token = self.ask(question)
        self.count += 1
        return self.token


@pytest.fixture(scope="module")
def fitted(engine: Engine) -> Identity:
    """What a calibration of the session's engine is bound to."""
    return here(engine)


@pytest.fixture(scope="module")
def otherwise(engine: Engine) -> Iterator[Engine]:
    """The same file with a shorter context, read in smaller pieces."""
    with Engine(engine.path, replace(engine.settings, context=512, chunk=16)) as opened:
        yield opened


@pytest.fixture(scope="module")
def requantised(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The same model as Q8_0, made by the library's own quantiser."""
    native: Any = pytest.importorskip("llama_cpp")
    path: Path = tmp_path_factory.mktemp("models") / "SmolLM2-135M-Instruct.Q8_0.gguf"
    params = native.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize, params.nthread = native.LLAMA_FTYPE_MOSTLY_Q8_0, True, 1
    assert native.llama_model_quantize(str(engine.path).encode(), str(path).encode(), ctypes.byref(params)) == 0
    with Engine(path, engine.settings) as opened:
        yield opened
    path.unlink()


def here(engine: Engine) -> Identity:
    """What a calibration of an engine is bound to."""
    return identity_of(engine, Sampling(), sha256=sha256_of(engine.path))


def test_the_same_engine_is_fresh(engine: Engine, fitted: Identity) -> None:
    """Asked again, nothing differs."""
    assert verdict(fitted, here(engine)).reason == "fitted for exactly this"


def test_another_context_and_chunk_are_fresh_and_watched(fitted: Identity, otherwise: Engine) -> None:
    """The weights are the same; what differs is named with both values."""
    found = verdict(fitted, here(otherwise))

    assert found.state == "fresh"
    assert found.reason == "watched: chunk 16 instead of 64, context 512 instead of 2048"


def test_another_template_is_refused(engine: Engine, fitted: Identity) -> None:
    """One space more in its text makes other prompts."""
    with Engine(engine.path, replace(engine.settings, template=CHATML + " ")) as spaced:
        found = verdict(fitted, here(spaced))

    assert found.state == "refused" and found.reason.startswith("another chat template: found ")


def test_another_sampling_is_refused(engine: Engine, fitted: Identity) -> None:
    """Warm answers of the same engine are not what was fitted."""
    warm = identity_of(engine, Sampling(temperature=0.7), sha256=fitted.sha256)

    assert verdict(fitted, warm).state == "refused"


def test_another_quantisation_is_stale(fitted: Identity, requantised: Engine) -> None:
    """Name, shape and vocabulary tell that it is the same model; the advice is a refit."""
    found = verdict(fitted, here(requantised))

    assert found.state == "stale"
    assert f"found Q8_0, fitted for {fitted.quantisation}; refit with 30 or more labelled questions" in found.reason


def test_the_fingerprint_tells_weights_from_ways_of_running(
    engine: Engine, otherwise: Engine, requantised: Engine
) -> None:
    """The same weights read in other pieces are nearer than the same model in more bits."""
    marks = fingerprint(Sparse(engine))
    same, other = (difference(Sparse(opened), marks) for opened in (otherwise, requantised))

    assert len(marks) == len(PROMPTS) and same < 0.01 < other
