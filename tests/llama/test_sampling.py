"""Draws follow the distribution that they are to follow; schemas and grammars that cannot are refused."""

import json

import numpy as np
import pytest

from edgecascade.errors import SchemaError
from edgecascade.llama.engine import Engine
from edgecascade.llama.sampling import draw, grammar_of_schema, penalised, support
from edgecascade.records import Question, Sampling

SETTINGS = [
    Sampling(temperature=0.7),
    Sampling(temperature=1.3, top_k=10),
    Sampling(temperature=1.0, top_p=0.7),
    Sampling(temperature=1.0, min_p=0.1),
    Sampling(temperature=0.9, top_k=50, top_p=0.9, min_p=0.02),
    Sampling(temperature=1.0, top_p=0.999999),
]


def literal_support(logits: np.ndarray, sampling: Sampling) -> list[int]:
    """The kept ids by the textbook: sort everything, then cut."""
    ids = list(np.argsort(-logits, kind="stable"))
    ids = ids[: sampling.top_k] if sampling.top_k else ids
    if sampling.top_p < 1:
        p = np.exp(logits[ids].astype(np.float64))
        ids = ids[: int(np.searchsorted(np.cumsum(p / p.sum()), sampling.top_p)) + 1]
    return [i for i in ids if np.exp(float(logits[i] - logits.max())) >= sampling.min_p]


@pytest.mark.parametrize("sampling", SETTINGS)
@pytest.mark.parametrize("size", [9, 700, 5000])
def test_what_is_kept_is_what_the_textbook_keeps(sampling: Sampling, size: int) -> None:
    """top-k, top-p and min-p, in this order, keep the same tokens as sorting everything would."""
    logits = (np.random.default_rng(size).normal(size=size) * 2).astype(np.float32)
    kept = support(logits, sampling)

    assert set(range(size) if kept is None else kept) == set(literal_support(logits, sampling))


@pytest.mark.parametrize("sampling", SETTINGS)
def test_draws_follow_their_distribution(sampling: Sampling) -> None:
    """20,000 seeded draws pass a chi-squared test against the exact probabilities."""
    logits = (np.random.default_rng(0).normal(size=1500) * 2).astype(np.float32)
    random = np.random.default_rng(1)
    ids = literal_support(logits, sampling)
    counts = np.bincount([draw(logits, sampling, random) for _ in range(20_000)], minlength=1500)

    exact = np.exp(logits[ids].astype(np.float64) / sampling.temperature)
    wanted = 20_000 * exact / exact.sum()
    often = wanted > 5
    squares = float(((counts[ids] - wanted)[often] ** 2 / wanted[often]).sum())
    assert counts.sum() == counts[ids].sum()
    assert squares < often.sum() + 4 * np.sqrt(2 * often.sum())


def test_extreme_temperatures_are_greedy_and_uniform() -> None:
    """Near 0 only the largest is drawn; at 100 all of a few are."""
    logits = np.array([0.0, 2.0, 1.0, -np.inf], np.float32)
    random = np.random.default_rng(2)

    assert {draw(logits, Sampling(temperature=0.001), random) for _ in range(50)} == {1}
    assert {draw(logits, Sampling(temperature=100), random) for _ in range(200)} == {0, 1, 2}


def test_a_penalty_lowers_recent_tokens_whatever_their_sign() -> None:
    """Positive logits are divided, negative ones multiplied; others stay."""
    found = penalised(np.array([2.0, -2.0, 1.0], np.float32), [0, 1], 2.0)

    assert found.tolist() == [1.0, -4.0, 1.0]


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ("[1", "not JSON"),
        ("[1, 2]", "a JSON list"),
        ('{"type": "strin"}', "strin"),
        ('{"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}}', "minimum"),
        ('{"allOf": [{"type": "string"}]}', "allOf"),
        ('{"type": "object", "required": ["x"]}', "'x'"),
        ('{"type": "string", "format": "email"}', "email"),
        ('{"type": "string", "pattern": "^(a$"}', "unterminated"),
        ('{"type": "string", "minLength": 3, "maxLength": 2}', "minLength above maxLength"),
        ('{"type": "string", "maxLength": 20000}', "too large"),
        ('{"enum": []}', "empty enum"),
        ("[" * 100_000, "not JSON"),
        ('{"$ref": "#/nowhere/at/all"}', "cannot be turned into a grammar"),
    ],
)
def test_a_schema_that_cannot_be_followed_is_refused(schema: str, named: str) -> None:
    """Each kind of wrong schema is told as one."""
    with pytest.raises(SchemaError, match=named):
        grammar_of_schema(schema)


def test_a_broken_grammar_is_refused_before_a_token_is_written(engine: Engine) -> None:
    """The library's own parser says no, and we say where to look."""
    question = Question.of("x", sampling=Sampling(grammar="root ::= unknown_rule"))
    with pytest.raises(SchemaError, match="GBNF"):
        next(engine.stream(question))


def test_a_monstrous_grammar_is_refused_before_the_library_parses_it(engine: Engine) -> None:
    """Nesting on which the parser would overflow the stack is an error, not the end of the process."""
    grammar = "root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000
    with pytest.raises(SchemaError, match="too large"):
        next(engine.stream(Question.of("x", sampling=Sampling(grammar=grammar))))


@pytest.mark.parametrize("seed", range(4))
def test_a_string_holds_no_raw_line_end(engine: Engine, seed: int) -> None:
    """Strings of a schema are JSON strings, whatever the model would like to break into lines."""
    sampling = Sampling(temperature=1.0, seed=seed, max_tokens=60, grammar=grammar_of_schema('{"type": "string"}'))
    text = "".join(token.text for token in engine.stream(Question.of("Write a poem of four lines.", sampling=sampling)))

    assert not set(text) & {chr(code) for code in range(32)}


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_an_answer_follows_its_schema(engine: Engine, temperature: float) -> None:
    """A 135M model at any temperature writes JSON of the schema, whatever it would have said."""
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome"]}, "big": {"type": "boolean"}},
        "required": ["city", "big"],
    }
    sampling = Sampling(temperature=temperature, seed=7, grammar=grammar_of_schema(json.dumps(schema)))
    text = "".join(token.text for token in engine.stream(Question.of("Capital of Italy?", sampling=sampling)))

    answer = json.loads(text)
    assert answer["city"] in ("Paris", "Rome")
    assert isinstance(answer["big"], bool)
