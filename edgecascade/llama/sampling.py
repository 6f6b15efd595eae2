"""Logits to the chosen token: llama.cpp's samplers in llama.cpp's order, on arrays.

repeat penalty, top-k, top-p, min-p, temperature, draw. top-p and min-p look at the distribution at temperature 1, as
there. Different from there: the draw takes its random number from numpy, so a seed gives another text than in
llama.cpp. Grammars are llama.cpp's own; one is asked about the chosen token first, and only when it says no about all.
"""

import ctypes
import json
import math
import re
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import SchemaError
from edgecascade.llama.vocabulary import Vocabulary
from edgecascade.numerics import Reading, Row
from edgecascade.records import Sampling

PENALTY_WINDOW = 64
HEAD = 2048
"""As many of the likeliest tokens are sorted first to find top-p's share; rarely are all needed."""
BLOCK = 512

ENFORCED = {
    *("type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems", "enum"),
    *("const", "anyOf", "oneOf", "$ref", "$defs", "definitions", "pattern", "minLength", "maxLength", "format"),
    *("title", "description", "default", "examples", "$schema", "$id", "$comment"),
}
"""Keywords of a JSON schema that its grammar follows, and those that ask for nothing."""
FORMATS = frozenset(("date", "time", "date-time", "uuid"))
STRING_LETTERS, JSON_LETTERS = r'[^"\\]', r'[^"\\\x7F\x00-\x1F]'
"""llama-cpp-python lets a string hold raw line ends, which is not JSON; this is the rule it should have."""
LARGEST_GRAMMAR, DEEPEST, MOST_REPEATS = 200_000, 500, 1000
"""Letters, nested parentheses and repeats of a grammar; far beyond them the library's parser overflows its stack."""

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """Chooses the tokens of one answer; ``close()`` frees its grammar."""

    def __init__(
        self, native: Any, vocabulary: Vocabulary, sampling: Sampling, *, seed: int, prompt: Sequence[int] = ()
    ) -> None:
        self._native = native
        self._vocabulary = vocabulary
        self._sampling = sampling
        self._random = np.random.default_rng(seed)
        self._recent = deque(prompt[-PENALTY_WINDOW:], PENALTY_WINDOW)
        self._grammar = _grammar(native, vocabulary, sampling.grammar) if sampling.grammar else None

    def choose(self, logits: Row, reading: Reading) -> int:
        """Return the next token's id for the row of shape (vocabulary,), and remember it."""
        if self._sampling.repeat_penalty != 1:
            logits = penalised(logits, list(set(self._recent)), self._sampling.repeat_penalty)
            token = self._pick(logits)
        else:
            token = reading.top_ids[0] if self._sampling.temperature == 0 else self._pick(logits)
        if self._grammar:
            if not self._allowed([token])[0]:
                token = self._pick(np.where(self._all_allowed(), logits, np.float32(-np.inf)))
            self._native.llama_sampler_accept(self._grammar, token)
        self._recent.append(token)
        return token

    def close(self) -> None:
        """Free the grammar; twice is once."""
        if self._grammar:
            self._native.llama_sampler_free(self._grammar)
        self._grammar = None

    def _pick(self, logits: Row) -> int:
        return int(logits.argmax()) if self._sampling.temperature == 0 else draw(logits, self._sampling, self._random)

    def _all_allowed(self) -> NDArray[np.bool_]:
        mask = self._allowed(np.arange(self._vocabulary.size, dtype=np.int32))
        if not mask.any():
            raise SchemaError(
                "the grammar leaves this model no token to go on with; found a dead end, wanted a way out"
            )
        return mask

    def _allowed(self, tokens: Any) -> NDArray[np.bool_]:
        """Return for each token whether the grammar lets it stand next, shape (len(tokens),)."""
        candidates = np.zeros(len(tokens), _CANDIDATE)
        candidates["id"] = tokens
        pointer = ctypes.cast(candidates.ctypes.data, self._native.llama_token_data_p)
        array = self._native.llama_token_data_array(pointer, len(candidates), -1, False)
        self._native.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return np.asarray(candidates["logit"] > -np.inf)


def draw(logits: Row, sampling: Sampling, random: np.random.Generator) -> int:
    """Return a token drawn from the row of shape (vocabulary,), at a temperature above 0.

    >>> draw(np.array([0.0, 9.0, 0.0], np.float32), Sampling(temperature=0.1), np.random.default_rng(0))
    1
    """
    kept = support(logits, sampling)
    values = logits if kept is None else logits[kept]
    with np.errstate(over="ignore"):  # far below the largest: minus infinity, which is right
        weights = np.exp((values - values.max()) / np.float32(sampling.temperature))
    at = _inverse_of_sum(weights, random.random())
    return at if kept is None else int(kept[at])


def support(logits: Row, sampling: Sampling) -> NDArray[np.intp] | None:
    """Return the ids that top-k, top-p and min-p leave, in this order; None where they leave all."""
    kept: NDArray[np.intp] | None = None
    if 0 < sampling.top_k < len(logits):
        kept = np.argpartition(logits, -sampling.top_k)[-sampling.top_k :]
    if sampling.top_p < 1:
        kept = _nucleus(logits, np.arange(len(logits)) if kept is None else kept, sampling.top_p)
    if sampling.min_p > 0:
        floor = logits.max() + np.float32(math.log(sampling.min_p))
        kept = np.flatnonzero(logits >= floor) if kept is None else kept[logits[kept] >= floor]
    return kept


def penalised(logits: Row, recent: Sequence[int], penalty: float) -> Row:
    """Return a copy with the recent tokens' logits divided by the penalty, or multiplied where negative.

    Keskar et al., "CTRL", arXiv:1909.05858, with llama.cpp's treatment of negative logits.
    """
    changed = logits.copy()
    seen = changed[recent]
    changed[recent] = np.where(seen > 0, seen / np.float32(penalty), seen * np.float32(penalty))
    return changed


def _nucleus(logits: Row, ids: NDArray[np.intp], share: float) -> NDArray[np.intp]:
    """Return the fewest of the ids, likeliest first, whose probability among them reaches the share."""
    values = logits[ids]
    weights = np.exp(values - values.max())
    total = float(weights.sum())
    for size in (min(HEAD, len(ids)), len(ids)):
        head = np.argpartition(values, -size)[-size:]
        head = head[np.argsort(-values[head], kind="stable")]
        reached = np.cumsum(weights[head], dtype=np.float64)
        if reached[-1] >= share * total:
            break
    return ids[head[: int(np.searchsorted(reached, share * total)) + 1]]


def _inverse_of_sum(weights: Row, uniform: float) -> int:
    """Return where the running sum of the weights passes this share of their total; by blocks, then inside one."""
    starts = np.arange(0, len(weights), BLOCK)
    sums = np.cumsum(np.add.reduceat(weights, starts), dtype=np.float64)
    wanted = uniform * sums[-1]
    block = min(int(np.searchsorted(sums, wanted, side="right")), len(sums) - 1)
    before = sums[block - 1] if block else 0.0
    inside = np.cumsum(weights[starts[block] : starts[block] + BLOCK], dtype=np.float64)
    at = int(np.searchsorted(inside, min(wanted - before, np.nextafter(inside[-1], 0)), side="right"))
    return int(starts[block]) + at


def _grammar(native: Any, vocabulary: Vocabulary, text: str) -> Any:
    _refuse_monster(text)
    grammar = native.llama_sampler_init_grammar(vocabulary.handle, text.encode(), b"root")
    if not grammar:
        raise SchemaError(
            f"the grammar cannot be parsed: found {text.strip()[:60]!r}..., wanted GBNF with a rule named root; "
            "see llama.cpp's grammars/README.md"
        )
    return grammar


def grammar_of_schema(schema: str) -> str:
    """Return the GBNF grammar of a JSON schema, given as text.

    Raises SchemaError for text that is not JSON, not a schema, or asks for what a grammar cannot enforce.
    """
    try:
        parsed = json.loads(schema)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SchemaError(f"the schema is not JSON: {error}; wanted a JSON schema object") from error
    if not isinstance(parsed, dict):
        raise SchemaError(f"the schema is a JSON {type(parsed).__name__}; wanted an object like {{'type': 'object'}}")
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        _refuse_unenforced(parsed)
        grammar = str(json_schema_to_gbnf(schema)).replace(STRING_LETTERS, JSON_LETTERS)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        AssertionError,
        IndexError,
        RecursionError,
        re.error,
    ) as error:
        raise SchemaError(
            f"the schema cannot be turned into a grammar: {type(error).__name__}: {error}; use type, properties, "
            "required, items, enum, const, anyOf, oneOf, local $ref without recursion, lengths, pattern like ^...$"
        ) from error
    _refuse_monster(grammar)
    return grammar


def _refuse_unenforced(schema: Any) -> None:
    """Raise SchemaError for what the grammar would leave out in silence."""
    if not isinstance(schema, dict):
        return
    faults = [f"the keyword {name}" for name in sorted(set(schema) - ENFORCED)]
    if schema.get("format") not in (None, *FORMATS):
        faults.append(f"the format {schema['format']!r}")
    faults += [f"an empty {name}" for name in ("enum", "anyOf", "oneOf") if schema.get(name) == []]
    faults += [f"the required name {name!r} without a property" for name in _nameless(schema)]
    for low, high in (("minLength", "maxLength"), ("minItems", "maxItems")):
        if schema.get(low, 0) > schema.get(high, math.inf):
            faults.append(f"{low} above {high}")
    if "\\u0000" in json.dumps([schema.get("enum"), schema.get("const")]):
        faults.append("a NUL character")
    if faults:
        raise SchemaError(
            f"the schema asks for {', '.join(faults)}, which a grammar cannot enforce; wanted a schema without: "
            "leave it out, and check the answer for it yourself"
        )
    re.compile(schema.get("pattern", ""))
    for name in ("properties", "$defs", "definitions"):
        for below in schema.get(name, {}).values():
            _refuse_unenforced(below)
    for name in ("items", "additionalProperties"):
        _refuse_unenforced(schema.get(name))
    for name in ("anyOf", "oneOf", "prefixItems"):
        for below in schema.get(name, []):
            _refuse_unenforced(below)


def _nameless(schema: dict[str, Any]) -> list[str]:
    return sorted(set(schema.get("required", [])) - set(schema.get("properties", {})))


def _refuse_monster(grammar: str) -> None:
    """Raise SchemaError for a grammar on which the library's parser would overflow its stack."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]', "", grammar[: LARGEST_GRAMMAR + 1])
    depth = deepest = 0
    for letter in bare:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    repeats = max((int(number) for number in re.findall(r"\d+(?=[,}])", bare)), default=0)
    if len(grammar) > LARGEST_GRAMMAR or deepest > DEEPEST or repeats > MOST_REPEATS:
        raise SchemaError(
            f"the grammar is too large: found {len(grammar):,} letters, {deepest} nested brackets, {repeats} repeats, "
            f"wanted at most {LARGEST_GRAMMAR:,}, {DEEPEST}, {MOST_REPEATS}; ask for shorter strings or lists"
        )
