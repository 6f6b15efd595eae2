"""Answers from a small model on this device where they can be trusted, and from a cloud where they cannot.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecascade.cascade.cascade import Cascade
    from edgecascade.cascade.opening import open_tier
    from edgecascade.cascade.pooling import PoolRouter
    from edgecascade.errors import DeviceError, EdgeCascadeError, InputError, NoAnswerError
    from edgecascade.evidence import draft, samples
    from edgecascade.judging import Judge, calibrated
    from edgecascade.llama.engine import Engine
    from edgecascade.llama.settings import EngineSettings
    from edgecascade.local import open_local
    from edgecascade.prompts import choose
    from edgecascade.records import (
        Answer,
        Delta,
        Done,
        Draft,
        Ending,
        Estimate,
        Handoff,
        Limits,
        Message,
        Question,
        Sampling,
        Token,
    )

__version__ = "0.1.0"

_HOMES = {
    "Cascade": "cascade.cascade",
    "PoolRouter": "cascade.pooling",
    "DeviceError": "errors",
    "EdgeCascadeError": "errors",
    "InputError": "errors",
    "NoAnswerError": "errors",
    "draft": "evidence",
    "samples": "evidence",
    "Judge": "judging",
    "calibrated": "judging",
    "choose": "prompts",
    "Estimate": "records",
    "Engine": "llama.engine",
    "EngineSettings": "llama.settings",
    "open_local": "local",
    "open_tier": "cascade.opening",
    "Answer": "records",
    "Delta": "records",
    "Done": "records",
    "Draft": "records",
    "Ending": "records",
    "Handoff": "records",
    "Limits": "records",
    "Message": "records",
    "Question": "records",
    "Sampling": "records",
    "Token": "records",
}

__all__ = [
    "Answer",
    "Cascade",
    "Delta",
    "DeviceError",
    "Done",
    "Draft",
    "EdgeCascadeError",
    "Ending",
    "Engine",
    "EngineSettings",
    "Estimate",
    "Handoff",
    "InputError",
    "Judge",
    "Limits",
    "Message",
    "NoAnswerError",
    "PoolRouter",
    "Question",
    "Sampling",
    "Token",
    "calibrated",
    "choose",
    "draft",
    "open_local",
    "open_tier",
    "samples",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'edgecascade' has no attribute {name!r}")
    return getattr(import_module(f"edgecascade.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
