"""Logits to the chosen token, by llama.cpp's own samplers in llama.cpp's own order.

penalties, top-k, top-p, min-p, temperature, draw. Greedy needs none of them: the reading of the row knows its largest.
A grammar is asked about the chosen token first; the whole vocabulary is masked only when it says no.
"""

import ctypes
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgecascade.errors import SchemaError
from edgecascade.llama.vocabulary import Vocabulary
from edgecascade.numerics import Reading, Row
from edgecascade.records import Sampling

PENALTY_WINDOW = 64

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """Chooses the tokens of one answer; ``close()`` frees its native parts."""

    def __init__(self, native: Any, vocabulary: Vocabulary, sampling: Sampling, *, seed: int) -> None:
        self._native = native
        self._vocabulary = vocabulary
        self._penalised = sampling.repeat_penalty != 1
        self._greedy = sampling.temperature == 0
        self._grammar = _grammar(native, vocabulary, sampling.grammar) if sampling.grammar else None
        self._chain = None if self._greedy and not self._penalised else _chain(native, sampling, seed)

    def choose(self, logits: Row, reading: Reading) -> int:
        """Return the next token's id for the row of shape (vocabulary,), and remember it."""
        token = self._draw(logits) if self._chain else reading.top_ids[0]
        if self._grammar and not self._allowed([token])[0]:
            token = self._choose_masked(logits, reading)
        for part in (self._chain, self._grammar):
            if part:
                self._native.llama_sampler_accept(part, token)
        return token

    def remember(self, tokens: Sequence[int]) -> None:
        """Count the tokens of the prompt among those that are penalised for repetition."""
        if self._chain and self._penalised:
            for token in tokens[-PENALTY_WINDOW:]:
                self._native.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        """Free the native samplers."""
        for part in (self._chain, self._grammar):
            if part:
                self._native.llama_sampler_free(part)
        self._chain = self._grammar = None

    def _choose_masked(self, logits: Row, reading: Reading) -> int:
        if not self._chain:
            for token, allowed in zip(reading.top_ids, self._allowed(reading.top_ids), strict=True):
                if allowed:
                    return token
        mask = self._allowed(np.arange(self._vocabulary.size, dtype=np.int32))
        if not mask.any():
            raise SchemaError("the grammar leaves this model no token to go on with; found a dead end, wanted a way out")
        masked = np.where(mask, logits, np.float32(-np.inf))
        return self._draw(masked) if self._chain else int(masked.argmax())

    def _allowed(self, tokens: Any) -> Any:
        """Return for each token whether the grammar lets it stand next, shape (len(tokens),)."""
        candidates = _candidates(tokens, np.zeros(len(tokens), np.float32))
        self._native.llama_sampler_apply(self._grammar, ctypes.byref(self._array(candidates)))
        return candidates["logit"] > -np.inf

    def _draw(self, logits: Row) -> int:
        finite = logits if self._grammar is None else np.maximum(logits, np.float32(-1e30))
        candidates = _candidates(np.arange(len(logits), dtype=np.int32), finite)
        array = self._array(candidates)
        self._native.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(candidates["id"][array.selected])

    def _array(self, candidates: Any) -> Any:
        pointer = ctypes.cast(candidates.ctypes.data, self._native.llama_token_data_p)
        return self._native.llama_token_data_array(pointer, len(candidates), -1, False)


def _candidates(tokens: Any, logits: Row) -> Any:
    candidates = np.zeros(len(tokens), _CANDIDATE)
    candidates["id"] = tokens
    candidates["logit"] = logits
    return candidates


def _chain(native: Any, sampling: Sampling, seed: int) -> Any:
    chain = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
    steps = []
    if sampling.repeat_penalty != 1:
        steps.append(native.llama_sampler_init_penalties(PENALTY_WINDOW, sampling.repeat_penalty, 0.0, 0.0))
    if sampling.temperature == 0:
        steps.append(native.llama_sampler_init_greedy())
    else:
        if sampling.top_k:
            steps.append(native.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            steps.append(native.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p:
            steps.append(native.llama_sampler_init_min_p(sampling.min_p, 1))
        steps.append(native.llama_sampler_init_temp(sampling.temperature))
        steps.append(native.llama_sampler_init_dist(seed))
    for step in steps:
        native.llama_sampler_chain_add(chain, step)
    return chain


def _grammar(native: Any, vocabulary: Vocabulary, text: str) -> Any:
    grammar = native.llama_sampler_init_grammar(vocabulary.handle, text.encode(), b"root")
    if not grammar:
        raise SchemaError(
            f"the grammar cannot be parsed: found {text.strip()[:60]!r}..., wanted GBNF with a rule named root; "
            "see llama.cpp's grammars/README.md"
        )
    return grammar


def grammar_of_schema(schema: str) -> str:
    """Return the GBNF grammar of a JSON schema, given as text.

    Raises SchemaError for text that is not JSON, not a schema, or uses what cannot be turned into a grammar.
    """
    try:
        parsed = json.loads(schema)
    except json.JSONDecodeError as error:
        raise SchemaError(f"the schema is not JSON: {error}; wanted a JSON schema object") from error
    if not isinstance(parsed, dict):
        raise SchemaError(f"the schema is a JSON {type(parsed).__name__}; wanted an object like {{'type': 'object'}}")
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        return str(json_schema_to_gbnf(schema))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError, RecursionError) as error:
        raise SchemaError(
            f"the schema cannot be turned into a grammar: {type(error).__name__}: {error}; "
            "use type, properties, required, items, enum, const, anyOf, local $ref, length and number limits"
        ) from error
