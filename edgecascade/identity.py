"""What a calibration is bound to, and what a difference means.

The promise holds for one model file with one prompt template and one way of choosing tokens. The rules, and why:

    another model, template or sampler    refused: other probabilities altogether
    another quantisation, of weights      stale: ranking survives, the operating point does not; an intercept refit with
    or of the key-value cache             30 or more labelled questions is needed before any promise
    another build, backend or batch       fresh, and watched: single tokens differ, the distribution hardly does
    a server that does not say which      stale: another file may stand behind the same name
    file it runs
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgecascade.records import Sampling

State = Literal["fresh", "stale", "refused"]

SAMPLER = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")
"""What of a sampling changes the tokens' distribution; the longest answer and stop strings only cut it."""

NAMES = {
    "family": "another model",
    "template": "another chat template",
    "sampler": "another sampler",
    "grammar": "another use of grammars",
}
UNTOLD = "-untold"
"""How the ``sha256`` ends of a server that names its model, but does not tell its file from others."""
UNQUANTISED = frozenset({"f16", "f32"})
WATCHED = (
    "library",
    "backend",
    "chunk",
    "sequences",
    "context",
    "flash_attention",
    "use_extra_bufts",
    "kv_type",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The model and the way it is run.

    model            for people: "SmolLM2-135M-Instruct.Q4_1"
    sha256           of the weights' file; of a server's description of it
    family           what all quantisations of one model share: architecture, shape, vocabulary, name
    quantisation     "Q4_K_M"
    template         sha256 of the chat template's source, 16 digits
    sampler          of ``SAMPLER``, by name
    grammar          whether answers were held to one
    library ...      as in ``EngineSettings``; any of them may differ
    """

    model: str
    sha256: str
    family: str
    quantisation: str
    template: str
    sampler: Mapping[str, float]
    grammar: bool
    library: str
    backend: str
    chunk: int
    sequences: int
    context: int
    kv_type: str
    flash_attention: str
    use_extra_bufts: bool

    @property
    def told(self) -> bool:
        """Whether it is known which file the weights are."""
        return not self.sha256.endswith(UNTOLD)

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a calibration holds here.

    state   "fresh": with its promise; "stale": p_correct without a promise; "refused": nothing of it holds
    reason  one sentence; for "fresh" what differs and is watched, or that nothing does
    """

    state: State
    reason: str


def sampler_of(sampling: Sampling) -> dict[str, float]:
    """Return what of a sampling belongs to an identity.

    >>> sampler_of(Sampling())["temperature"]
    0.0
    """
    return {name: float(getattr(sampling, name)) for name in SAMPLER}


def verdict(fitted: Identity, here: Identity) -> Verdict:
    """Return whether what was fitted for one identity holds for another."""
    for name, what in NAMES.items():
        found, wanted = getattr(here, name), getattr(fitted, name)
        if found != wanted:
            return Verdict("refused", f"{what}: found {_shown(name, here)}, fitted for {_shown(name, fitted)}")
    if here.sha256 != fitted.sha256:
        if here.quantisation == fitted.quantisation:
            return Verdict("refused", f"other weights of the same shape: {here.sha256[:12]}, not {fitted.sha256[:12]}")
        return Verdict(
            "stale",
            f"another quantisation: found {here.quantisation}, fitted for {fitted.quantisation}; "
            "refit with 30 or more labelled questions (`edgecascade calibrate refit`)",
        )
    if not here.told:
        return Verdict("stale", f"the server does not say which file it runs, only its name {here.model!r}")
    if here.kv_type != fitted.kv_type and {here.kv_type, fitted.kv_type} - UNQUANTISED:
        return Verdict(
            "stale",
            f"another key-value cache: found {here.kv_type}, fitted for {fitted.kv_type}; refit, or use that one",
        )
    differing = [
        f"{name} {getattr(here, name)} instead of {getattr(fitted, name)}"
        for name in WATCHED
        if getattr(here, name) != getattr(fitted, name)
    ]
    return Verdict("fresh", "watched: " + ", ".join(differing) if differing else "fitted for exactly this")


def _shown(name: str, identity: Identity) -> str:
    if name == "family":
        return f"{identity.model} ({identity.family})"
    if name == "sampler":
        return ", ".join(f"{key} {value:g}" for key, value in identity.sampler.items())
    return str(getattr(identity, name))
