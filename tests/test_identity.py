"""When a calibration holds: each rule of the module, and nothing besides."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from edgecascade.identity import SAMPLER, WATCHED, Identity, sampler_of, verdict
from edgecascade.records import Sampling
from edgecascade.testing import TINY_IDENTITY as FITTED

OTHER: dict[str, Any] = {
    "library": "0.3.37",
    "backend": "cuda",
    "chunk": 32,
    "sequences": 1,
    "context": 4096,
    "kv_type": "f32",
    "flash_attention": "off",
    "use_extra_bufts": False,
}
REFUSED: dict[str, Any] = {
    "family": "llama 8x2 3 Other",
    "template": "fedcba9876543210",
    "sampler": sampler_of(Sampling(temperature=0.7)),
    "grammar": True,
}


def test_a_quantised_cache_is_like_other_weights() -> None:
    """Either way round: an estimate, but no promise."""
    other = replace(FITTED, kv_type="q8_0")

    for found in (verdict(FITTED, other), verdict(other, FITTED)):
        assert found.state == "stale"
        assert "q8_0" in found.reason and "f16" in found.reason


def test_the_same_is_fresh() -> None:
    """Nothing differs, and the reason says so."""
    found = verdict(FITTED, replace(FITTED))

    assert (found.state, found.reason) == ("fresh", "fitted for exactly this")


@pytest.mark.parametrize("name", REFUSED)
def test_another_model_template_sampler_or_grammar_is_refused(name: str) -> None:
    """Either way round, and whatever else is the same."""
    here = replace(FITTED, **{name: REFUSED[name]})

    assert verdict(FITTED, here).state == verdict(here, FITTED).state == "refused"


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_outweighs_another_quantisation(name: str) -> None:
    """A model that is refused is not merely stale."""
    here = replace(FITTED, sha256="b" * 64, quantisation="Q8_0", **{name: REFUSED[name]})

    assert verdict(FITTED, here).state == "refused"


@pytest.mark.parametrize("name", SAMPLER)
def test_every_part_of_the_sampler_counts(name: str) -> None:
    """What changes the tokens' distribution refuses."""
    changed = sampler_of(Sampling()) | {name: 0.5}

    assert verdict(FITTED, replace(FITTED, sampler=changed)).state == "refused"


def test_what_only_cuts_an_answer_is_no_part_of_the_sampler() -> None:
    """Longest answer, stop strings and the seed of a greedy answer leave the distribution as it is."""
    assert sampler_of(Sampling(max_tokens=7, stop=("x",), seed=3)) == FITTED.sampler


def test_another_quantisation_is_stale() -> None:
    """Same family, other weights, other quantisation: a refit is asked for."""
    found = verdict(FITTED, replace(FITTED, sha256="b" * 64, quantisation="Q8_0", model="Tiny.Q8_0"))

    assert found.state == "stale"
    assert "found Q8_0, fitted for Q4_K_M" in found.reason and "30 or more labelled questions" in found.reason


def test_other_weights_of_the_same_quantisation_are_refused() -> None:
    """A fine-tuned copy has the shape, not the probabilities."""
    found = verdict(FITTED, replace(FITTED, sha256="b" * 64))

    assert found.state == "refused" and "bbbbbbbbbbbb" in found.reason and "aaaaaaaaaaaa" in found.reason


@pytest.mark.parametrize("name", WATCHED)
def test_another_build_backend_or_batch_is_fresh_and_watched(name: str) -> None:
    """The promise stays, and the reason names what differs."""
    found = verdict(FITTED, replace(FITTED, **{name: OTHER[name]}))

    assert found.state == "fresh"
    assert found.reason == f"watched: {name} {OTHER[name]} instead of {getattr(FITTED, name)}"


def test_all_that_is_watched_is_named() -> None:
    """Several differences stand in one reason."""
    reason = verdict(FITTED, replace(FITTED, **OTHER)).reason

    assert all(f"{name} {value}" in reason for name, value in OTHER.items())


def test_a_name_means_nothing() -> None:
    """A renamed file of the same weights is the same."""
    assert verdict(FITTED, replace(FITTED, model="renamed")).reason == "fitted for exactly this"


def test_every_field_has_a_rule() -> None:
    """A new field must be refused, watched, or known not to matter."""
    ruled = {*REFUSED, *WATCHED, "sha256", "quantisation", "model"}

    assert {field.name for field in fields(Identity)} == ruled


def test_reasons_show_both_sides() -> None:
    """Found and wanted are told in words that people know: the model's name, the sampler's values."""
    other = verdict(FITTED, replace(FITTED, family="other", model="Large.Q4_K_M")).reason
    warm = verdict(FITTED, replace(FITTED, sampler=REFUSED["sampler"])).reason

    assert "Large.Q4_K_M" in other and "Tiny.Q4_K_M" in other
    assert "temperature 0.7" in warm and "temperature 0" in warm


def test_an_identity_survives_json() -> None:
    """What is written into a file and read again is judged the same."""
    again = Identity(**json.loads(json.dumps(FITTED.as_json())))

    assert again == FITTED and verdict(FITTED, again).reason == "fitted for exactly this"
