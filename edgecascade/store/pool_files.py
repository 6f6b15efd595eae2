"""Saved policies of a pool: one JSON that holds all that a live decision needs.

    {"schema": "edgecascade.pool/1", "policy": "mixllm", "models": [...], "features": {...}, "estimator": {...}, ...}

Arrays are written as ``{"dtype": "<f8", "shape": [n, k], "base64": ...}``, numbers that JSON does not know as
``{"float": "nan"}``. The same form holds a learner's state: the policy as it is by now, and its last lesson.
"""

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecascade.errors import NoSpaceError, PolicyError
from edgecascade.estimators.features import Features
from edgecascade.estimators.pool import PoolEstimator
from edgecascade.policies.pooled import FITS, Fitted
from edgecascade.pool import FeatureKind, Queries, Seen, Table, Unit
from edgecascade.store.files import write_whole

SCHEMA: Final = "edgecascade.pool/1"
_ARRAY, _FLOAT = {"dtype", "shape", "base64"}, {"float"}
_KINDS = "biuf"
"""Kinds of numbers that an array may hold: no objects, no texts."""


class PoolFile(BaseModel):
    """A saved policy.

    policy    its name in ``policies.pooled.FITS``        budget, confidence  as ``Fitted.at`` takes them
    models    of the pool                                 unit                of all costs
    kind      of the features, as in ``Queries``          source              which model, encoder or file made them
    features, estimator, fitted   the records of each     created             when it was fitted, ISO 8601
    rows      of the training table                       table_sha256        ``digest_of`` it
    learned   the number of the last lesson learned       origin              ``key_of`` the file it was begun with
    source_sha256  of the source's weights; None: unknown
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    policy: str
    models: tuple[str, ...] = Field(min_length=1)
    unit: Unit
    budget: float | None = Field(default=None, ge=0)
    confidence: float | None = Field(default=None, ge=0.5, lt=1)
    kind: FeatureKind
    source: str
    source_sha256: str | None = None
    features: dict[str, Any]
    estimator: dict[str, Any]
    fitted: dict[str, Any]
    created: str
    rows: int = Field(ge=1)
    table_sha256: str
    learned: int = Field(default=0, ge=0, lt=2**63)
    origin: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """What a saved policy was made of, working again."""

    features: Features
    estimator: PoolEstimator
    fitted: Fitted


def write_pool(path: Path, file: PoolFile) -> None:
    """Write a saved policy; it is whole once it is visible. PolicyError or NoSpaceError where it cannot be written."""
    text = json.dumps({"schema": SCHEMA, **_plain(file.model_dump())}, allow_nan=False)
    try:
        write_whole(path, text)
    except OSError as error:
        raise NoSpaceError(
            f"{path} cannot be written: {error.strerror or error}; free some space, or name another"
        ) from error


def read_pool(path: Path) -> PoolFile:
    """Return a saved policy; PolicyError for one that is damaged, of another schema, or of an unknown policy."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"{path} cannot be read: {error.strerror or error}; wanted a saved policy") from error
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"{path} is no saved policy: {error}; wanted JSON as `evaluate` saves it") from error
    found = raw.pop("schema", None) if isinstance(raw, dict) else None
    if found != SCHEMA:
        raise PolicyError(f"{path} has another schema: found {found!r}, wanted {SCHEMA!r}; fit and save it again")
    try:
        file = PoolFile.model_validate(_arrays(raw))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise PolicyError(f"{path} is damaged: {place}: {problem['msg']}; restore it, or fit again") from error
    except (ValueError, TypeError, binascii.Error) as error:
        raise PolicyError(f"{path} is damaged: an array cannot be read: {error}; restore it, or fit again") from error
    if file.policy not in FITS:
        wanted = ", ".join(FITS)
        raise PolicyError(f"{path} holds a policy of no known name: found {file.policy!r}, wanted one of {wanted}")
    return file


def open_pool(file: PoolFile) -> Opened:
    """Return what a saved policy holds, tried on one question before and after all models have run.

    Raises PolicyError where its parts do not fit together.
    """
    try:
        features = Features.of_json(file.features)
        estimator = PoolEstimator.of_json(file.estimator)
        module = import_module(f"edgecascade.policies.{FITS[file.policy]}")
        opened = Opened(features, estimator, module.of_json(file.fitted, estimator))
        wrong = _tried(opened, file)
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        told = f"{type(error).__name__}: {error}"
        raise PolicyError(
            f"the saved policy {file.policy!r} does not fit together: found {told:.160}; restore it, or fit again"
        ) from error
    if wrong:
        raise PolicyError(
            f"the saved policy {file.policy!r} does not hold together: found {', '.join(wrong)} of another form, "
            f"wanted {len(file.models)} numbers; restore it, or fit again"
        )
    return opened


def key_of(file: PoolFile) -> str:
    """Return which learner's lessons are a file's own: a digest of what was fitted, whatever it may spend."""
    if file.origin:
        return file.origin
    return _digest(file.model_dump(exclude={"budget", "confidence", "learned", "origin"}))


def key_of_fitted(fitted: Fitted) -> str:
    """Return the same of a policy that was not saved: of its models and its numbers."""
    return _digest({"models": fitted.models, "fitted": fitted.as_json()})


def digest_of(table: Table) -> str:
    """Return the sha256 of a table's models, questions, qualities and costs, as 64 hex digits."""
    digest = hashlib.sha256(json.dumps([table.models, table.ids]).encode())
    for numbers in (table.quality, table.cost):
        digest.update(np.ascontiguousarray(numbers, "<f8").tobytes())
    return digest.hexdigest()


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(_plain(record), sort_keys=True).encode()).hexdigest()


def _tried(opened: Opened, file: PoolFile) -> list[str]:
    """Return what of the parts' words about one question is not one number a model; a ranking may be infinite."""
    vectors = None if file.kind == "text" else opened.features.centre[None]
    row = opened.features(Queries(kind=file.kind, source=file.source, texts=("?",), vectors=vectors))
    policy, estimator = opened.fitted.at(file.budget, confidence=file.confidence), opened.estimator
    shape, wrong = (1, len(file.models)), [] if opened.fitted.models == file.models else ["models"]
    for ran, samples in ((False, ()), (True, ("?",))):
        seen = Seen.first(row, shape[1], ran=np.full(shape, ran), answers=((samples,) * shape[1],))
        finite = {"estimates": estimator.quality(seen), "costs": estimator.cost(seen), "votes": policy.answer(seen)}
        said = finite | {"next": policy.next(seen), "worth": policy.worth(seen)}
        wrong += [name for name, value in said.items() if np.shape(value) != shape]
        wrong += [name for name, value in finite.items() if not np.isfinite(value).all()]
    return wrong


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a value."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _KINDS:
            raise PolicyError(f"an array that cannot be saved: found {value.dtype}, wanted numbers; this is a bug")
        ours = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        return {
            "dtype": ours.dtype.str,
            "shape": list(value.shape),
            "base64": base64.b64encode(ours.tobytes()).decode(),
        }
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise PolicyError(f"a part of a policy that cannot be saved: found {type(value).__name__}; this is a bug")


def _arrays(value: Any) -> Any:
    """Return what ``_plain`` made it from; ValueError for an array whose bytes are not as many as its shape wants."""
    if isinstance(value, list):
        return [_arrays(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == _FLOAT and isinstance(value["float"], str):
        return float(value["float"])
    if set(value) != _ARRAY:
        return {name: _arrays(one) for name, one in value.items()}
    kind = np.dtype(value["dtype"])
    if kind.kind not in _KINDS:
        raise ValueError(f"found {kind}, wanted numbers")
    content = base64.b64decode(value["base64"], validate=True)
    return np.frombuffer(content, kind).reshape(value["shape"]).astype(kind.newbyteorder("="))
