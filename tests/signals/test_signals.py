"""Signals are functions of the tokens alone, and each is its literal definition."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest

from edgecascade.evidence import draft_of
from edgecascade.records import Draft, Ending, FinishReason, SecondLook, Token
from edgecascade.signals import PREFILL, RUNNING, SIGNALS, running_signals, signals

PIECES = (" the", "Paris", "12", ".", " ", "\n", "", "é", '"', " Rome", "well", "(", "東京", " b", "\nThe", "_", "-3")
JSON = ("{", '"a"', ":", " 1", "}")
ENDS: tuple[FinishReason, ...] = ("end", "length", "stop", "cancelled")


def token_of(row: np.ndarray, piece: str, chosen: int, *, end: bool = False) -> Token:
    """A token chosen from a row of logits, every number by its definition in float64."""
    logsumexp = float(np.log(np.exp(row).sum()))
    logprobs = row - logsumexp
    top = np.sort(logprobs)[::-1]
    entropy, mass = -float(np.exp(logprobs) @ logprobs), float(np.exp(top[:5]).sum())
    numbers = (float(logprobs[chosen]), float(top[0]), float(top[0] - top[1]), entropy, mass, logsumexp)
    return Token(chosen, piece, *numbers, 0.25, end)


def draft_at(seed: int) -> Draft:
    """A draft of 1 to 120 tokens; each tenth of a single one, each seventh valid JSON, each third looked at again."""
    random = np.random.default_rng(seed)
    count = 1 if seed % 10 == 0 else int(random.integers(2, 120))
    pieces = (
        list(JSON) if seed % 7 == 0 and seed % 10 else [PIECES[i] for i in random.integers(len(PIECES), size=count)]
    )
    reason = ENDS[seed % 4]
    tokens = []
    for number, piece in enumerate(pieces):
        row = random.normal(size=12) * 3
        chosen = int(row.argmax()) if random.random() < 0.6 else int(random.integers(12))
        tokens.append(token_of(row, piece, chosen, end=reason == "end" and number == len(pieces) - 1))
    whole = draft_of(tokens, Ending(reason, int(random.integers(5, 500)), len(tokens), 0, 0.5))
    return replace(whole, second_look=SecondLook(float(random.random()), 0.1)) if seed % 3 == 0 else whole


DRAFTS = [draft_at(seed) for seed in range(200)]


def column(name: str) -> Callable[[Draft], list[float]]:
    """One number of each token."""
    return lambda draft: [getattr(token, name) for token in draft.tokens]


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return math.fsum(values) / len(values)


def content(draft: Draft) -> list[float]:
    """Log-probabilities of the tokens with a letter, digit or underscore, or of all."""
    said = [t.logprob for t in draft.tokens if any(letter.isalnum() or letter == "_" for letter in t.text)]
    return said or LOGPROB(draft)


def is_span(piece: str) -> bool:
    """Whether a token has a digit or a double quote, or begins with a capital letter behind space."""
    return any(letter.isdigit() or letter == '"' for letter in piece) or "A" <= piece.lstrip()[:1] <= "Z"


def span(draft: Draft) -> list[float]:
    """Log-probabilities of the tokens that look like an answer, or of the content."""
    return [token.logprob for token in draft.tokens if is_span(token.text)] or content(draft)


def probability_margin(draft: Draft) -> list[float]:
    """p(likeliest) - p(second) of each token."""
    return [math.exp(token.top_logprob) - math.exp(token.top_logprob - token.margin) for token in draft.tokens]


def windows(values: Sequence[float]) -> list[float]:
    """The means of all runs of eight neighbours, or of all where there are fewer."""
    return [mean(values[start : start + 8]) for start in range(max(len(values) - 7, 1))]


def steepness(values: Sequence[float]) -> float:
    """The slope of a line through the first 64."""
    return float(np.polyfit(range(len(values[:64])), values[:64], 1)[0]) if len(values) > 1 else 0.0


def odds(look: SecondLook | None) -> float:
    """The log-odds of the choice that was kept, between -6 and 6; none is as good as even."""
    return float(np.clip(math.log(look.probability) - math.log1p(-look.probability), -6, 6)) if look else 0.0


def is_json(text: str) -> bool:
    """Whether the text is a JSON object or list."""
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


LOGPROB, MARGIN, ENTROPY = column("logprob"), column("margin"), column("entropy")
MASS, LOGSUMEXP = column("top5_mass"), column("logsumexp")

LITERAL: dict[str, Callable[[Draft], float]] = {
    "tokens": lambda draft: len(draft.tokens),
    "sum_logprob": lambda draft: math.fsum(LOGPROB(draft)),
    "mean_logprob": lambda draft: mean(LOGPROB(draft)),
    "min_logprob": lambda draft: min(LOGPROB(draft)),
    "first_logprob": lambda draft: LOGPROB(draft)[0],
    "second_logprob": lambda draft: LOGPROB(draft)[:2][-1],
    "q05_logprob": lambda draft: np.quantile(LOGPROB(draft), 0.05),
    "q10_logprob": lambda draft: np.quantile(LOGPROB(draft), 0.10),
    "q25_logprob": lambda draft: np.quantile(LOGPROB(draft), 0.25),
    "median_logprob": lambda draft: np.median(LOGPROB(draft)),
    "std_logprob": lambda draft: math.sqrt(mean([(x - mean(LOGPROB(draft))) ** 2 for x in LOGPROB(draft)])),
    "last_logprob": lambda draft: mean(LOGPROB(draft)[-8:]),
    "worst_window_logprob": lambda draft: min(windows(LOGPROB(draft))),
    "content_logprob": lambda draft: mean(content(draft)),
    "content_min_logprob": lambda draft: min(content(draft)),
    "span_logprob": lambda draft: mean(span(draft)),
    "span_min_logprob": lambda draft: min(span(draft)),
    "mean_token_probability": lambda draft: mean([math.exp(value) for value in LOGPROB(draft)]),
    "mean_margin": lambda draft: mean(MARGIN(draft)),
    "min_margin": lambda draft: min(MARGIN(draft)),
    "first_margin": lambda draft: MARGIN(draft)[0],
    "mean_probability_margin": lambda draft: mean(probability_margin(draft)),
    "min_probability_margin": lambda draft: min(probability_margin(draft)),
    "first_probability_margin": lambda draft: probability_margin(draft)[0],
    "mean_entropy": lambda draft: mean(ENTROPY(draft)),
    "max_entropy": lambda draft: max(ENTROPY(draft)),
    "first_entropy": lambda draft: ENTROPY(draft)[0],
    "entropy_slope": lambda draft: steepness(ENTROPY(draft)),
    "mean_top5_mass": lambda draft: mean(MASS(draft)),
    "first_top5_mass": lambda draft: MASS(draft)[0],
    "mean_logsumexp": lambda draft: mean(LOGSUMEXP(draft)),
    "first_logsumexp": lambda draft: LOGSUMEXP(draft)[0],
    "not_likeliest": lambda draft: sum(token.logprob < token.top_logprob for token in draft.tokens),
    "surprises": lambda draft: sum(token.logprob < -2.3 for token in draft.tokens),
    "prompt_tokens": lambda draft: draft.usage.prompt_tokens,
    "end_logprob": lambda draft: draft.tokens[-1].logprob if draft.tokens[-1].end else 0.0,
    "cut_off": lambda draft: draft.finish_reason == "length",
    "valid_json": lambda draft: is_json("".join(token.text for token in draft.tokens)),
    "second_look": lambda draft: odds(draft.second_look),
    "looked_again": lambda draft: draft.second_look is not None,
}


def alike(found: dict[str, float]) -> object:
    """Equal to the last bits, which depend on how many columns were summed at once."""
    return pytest.approx(found, rel=1e-12, abs=1e-12)


def test_every_signal_has_a_definition() -> None:
    """The table below is complete, so that no signal goes untested."""
    assert set(LITERAL) == set(SIGNALS)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_is_its_literal_definition(name: str) -> None:
    """It agrees with the plain sum, minimum or quantile on 200 random drafts, and is not the same on all of them."""
    found = [signals(draft)[name] for draft in DRAFTS]

    assert found == pytest.approx([float(LITERAL[name](draft)) for draft in DRAFTS], rel=1e-9, abs=1e-9)
    assert len(set(found)) > 1


def test_a_running_signal_of_a_whole_draft_is_the_signal() -> None:
    """What stops an answer early and what judges it are the same numbers, to the bit."""
    for draft in DRAFTS:
        whole = signals(draft)

        assert running_signals(draft.tokens, draft.usage.prompt_tokens) == {name: whole[name] for name in RUNNING}


@pytest.mark.parametrize("seed", range(1, 8))
def test_a_running_signal_knows_only_what_was_written(seed: int) -> None:
    """After k tokens it equals the signal of an answer that ended there, whatever came later."""
    draft = DRAFTS[seed]
    for count in range(1, len(draft.tokens) + 1):
        cut = draft_of(draft.tokens[:count], Ending("length", draft.usage.prompt_tokens, count, 0, 0.5))

        found = running_signals(draft.tokens[:count], draft.usage.prompt_tokens)

        assert found == {name: value for name, value in signals(cut).items() if name in RUNNING}


def test_prefill_signals_are_known_at_the_first_token() -> None:
    """No later token changes them."""
    for draft in DRAFTS:
        first, whole = running_signals(draft.tokens[:1], draft.usage.prompt_tokens), signals(draft)

        assert {name: first[name] for name in PREFILL} == {name: whole[name] for name in PREFILL}


def test_only_prefill_signals_and_constants_ignore_later_tokens() -> None:
    """Any other running signal changes with the second token of some draft, so PREFILL leaves none out."""
    drafts = [draft for draft in DRAFTS if len(draft.tokens) > 1]
    changed = {
        name
        for draft in drafts
        for name, value in running_signals(draft.tokens, draft.usage.prompt_tokens).items()
        if value != running_signals(draft.tokens[:1], draft.usage.prompt_tokens)[name]
    }

    assert set(RUNNING) - changed == set(PREFILL)


@pytest.mark.parametrize("piece", PIECES)
def test_a_single_token_has_every_signal(piece: str) -> None:
    """One token is enough for finite numbers, whatever its text."""
    found = signals(draft_of([token_of(np.arange(12.0), piece, 3)], Ending("length", 9, 1, 0, 0.5)))

    assert list(found) == list(SIGNALS) and all(math.isfinite(value) for value in found.values())


def test_a_draft_without_tokens_has_no_signals() -> None:
    """There is nothing to say about nothing."""
    assert signals(draft_of([], Ending("cancelled", 9, 0, 0, 0.5))) == {}


def test_extreme_numbers_stay_finite() -> None:
    """A sure token and a hopeless one give numbers, not overflow or NaN."""
    sure = Token(1, "a", 0.0, 0.0, 745.0, 0.0, 1.0, 30.0, 0.1)
    hopeless = Token(2, "b", -1e4, 0.0, 0.0, 11.0, 0.0, -1e4, 0.1)
    found = signals(draft_of([sure, hopeless] * 20, Ending("length", 9, 40, 0, 0.5)))

    assert all(math.isfinite(value) for value in found.values())


def test_most_signals_do_not_see_the_order_of_tokens() -> None:
    """Sums, quantiles, extremes and counts do not care in which order the tokens came."""
    ordered = {"first_", "second_logprob", "last_", "end_", "worst_window", "entropy_slope", "valid_json"}
    for draft in DRAFTS[:50]:
        turned = replace(draft, tokens=draft.tokens[::-1])
        names = [name for name in SIGNALS if not name.startswith(tuple(ordered))]
        found, again = signals(draft), signals(turned)

        assert {name: found[name] for name in names} == alike({name: again[name] for name in names})


def test_quantiles_are_ordered() -> None:
    """The minimum and the quantiles ascend; the worst window lies between the minimum and the mean."""
    for draft in DRAFTS:
        found = signals(draft)
        chain = ["min", "q05", "q10", "q25", "median"]

        assert [found[f"{name}_logprob"] for name in chain] == sorted(found[f"{name}_logprob"] for name in chain)
        assert found["min_logprob"] - 1e-9 <= found["worst_window_logprob"] <= found["mean_logprob"] + 1e-9


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"a": [1, 2]}', True),
        ("[]", True),
        ("  {}\n", True),
        ('{"a": 1', False),
        ("12", False),
        ('"a"', False),
        ("null", False),
        ("{} and more", False),
        ("```json\n{}\n```", False),
        ("", False),
        ("[" * 100_000, False),
        ("[" + "1" * 10_000 + "]", False),
    ],
)
def test_valid_json_is_an_object_or_a_list(text: str, valid: bool) -> None:
    """Nothing else counts, and nothing that a model may write makes it fail."""
    found = signals(draft_of([token_of(np.arange(12.0), text, 3)], Ending("end", 9, 1, 0, 0.5)))

    assert found["valid_json"] == valid


@pytest.mark.parametrize(("probability", "found"), [(0.0, -6.0), (1e-30, -6.0), (0.5, 0.0), (1.0, 6.0)])
def test_a_second_look_is_never_quite_sure(probability: float, found: float) -> None:
    """A probability of 0 or 1 is a number too."""
    looked = replace(DRAFTS[0], second_look=SecondLook(probability, 0.1))

    assert signals(looked)["second_look"] == pytest.approx(found, abs=1e-12)


def test_pieces_are_put_together_for_json() -> None:
    """What spans tokens is read as one text, the empty end token among them."""
    tokens = [token_of(np.arange(12.0), piece, 3) for piece in JSON] + [token_of(np.arange(12.0), "", 3, end=True)]
    found = signals(draft_of(tokens, Ending("end", 9, 5, 0, 0.5)))

    assert found["valid_json"] == 1.0 and found["end_logprob"] == tokens[-1].logprob


def test_timings_leave_out_what_is_not_decoding() -> None:
    """tokens/s leaves the first token out, prefill the reused tokens, and the total is the sum."""
    tokens = [token_of(np.arange(12.0), "a", 3)] * 3
    timings = draft_of(tokens, Ending("end", 90, 3, 64, 0.13), load_seconds=2.0).timings

    assert timings.decode_tps == pytest.approx(4.0)
    assert timings.prefill_tps == pytest.approx(26 / 0.13)
    assert (timings.ttft_s, timings.total_s, timings.load_s) == (0.25, 0.75, 2.0)


def test_running_totals_add_up() -> None:
    """The sum after each token is the sum before it and the token's own."""
    for draft in DRAFTS[:20]:
        sums = [running_signals(draft.tokens[:count], 9)["sum_logprob"] for count in range(1, len(draft.tokens) + 1)]

        assert sums == pytest.approx(list(accumulate(LOGPROB(draft))), rel=1e-12)
