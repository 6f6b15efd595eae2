"""Fitted files: everything that a fit found out, in one JSON beside one ONNX file.

    NAME.json   identity, head, calibrator, certificates, gates, references for drift, metrics, held-out predictions
    NAME.onnx   the head again; its sha256 stands in the JSON

Look-up order: an explicit path, the user's folder, the shipped ones.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from math import fsum
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from edgecascade.errors import FittedFileError
from edgecascade.guarantees.certificate import Certificate
from edgecascade.identity import Identity
from edgecascade.policies.situation import Chance
from edgecascade.store.files import write_bytes, write_whole
from edgecascade.store.paths import Folders, shipped

SCHEMA = "edgecascade.fitted/1"


REPLAYED = ("exact", "prompt_tokens", "tokens", "ended", "turned", "looks")
"""Columns of the held-out questions that serve to play them again."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeadPart(_Strict):
    """Which head, and what it looks at; ``weights`` only where it is linear."""

    name: str
    kind: Literal["linear", "onnx"]
    signals: tuple[str, ...] = Field(min_length=1)
    hidden: tuple[Literal["prompt", "answer"], ...] = ()
    width: int = Field(default=0, ge=0)
    weights: tuple[float, ...] = ()
    intercept: float = Field(default=0.0, allow_inf_nan=False)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wanted = len(self.signals) + len(self.hidden) * self.width
        if self.kind == "linear" and len(self.weights) != wanted:
            raise ValueError(f"{wanted} weights, one for each input")
        return self


class GatePart(_Strict):
    """A linear look at an unfinished answer: stop it where the logit is below ``stop_below``.

    at            tokens written when it looks; 1 is right after the prompt was read
    stops         share of answers that it stops            false_alarms  of those that would have been kept: rate,
    tokens_saved  share of all tokens that it saves                       low, high (95 %)
    """

    at: int = Field(ge=1)
    signals: tuple[str, ...]
    hidden: tuple[Literal["prompt", "answer"], ...] = ()
    width: int = 0
    weights: tuple[float, ...]
    intercept: float
    stop_below: float
    stops: float
    tokens_saved: float
    false_alarms: tuple[float, float, float]


class HeldOut(_Strict):
    """The certificate's own questions, for the report and for playing them again: a column each.

    p              rounded, for people; ``exact``: as it is compared with a threshold
    prompt_tokens  read             tokens  written, the end's own among them
    ended          by itself        turned  a second look was taken
    looks          a column a gate: the logit that it saw; None where the answer had ended before

    Files of earlier versions lack the columns from ``exact`` on.
    """

    task: tuple[int, ...]
    p: tuple[float, ...]
    local: tuple[float, ...]
    cloud: tuple[float, ...] | None
    loss: tuple[float, ...]
    seconds: tuple[float, ...]
    baselines: dict[str, tuple[float, ...]]
    exact: tuple[float, ...] = ()
    prompt_tokens: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()
    ended: tuple[bool, ...] = ()
    turned: tuple[bool, ...] = ()
    looks: tuple[tuple[float | None, ...], ...] = ()

    @model_validator(mode="after")
    def _square(self) -> Self:
        columns = {"p": self.p, "local": self.local, "loss": self.loss, "seconds": self.seconds} | self.baselines
        columns |= {"cloud": self.cloud} if self.cloud is not None else {}
        for name, column in columns.items():
            if len(column) != len(self.task):
                raise ValueError(f"{name} has {len(column)} rows, wanted {len(self.task)} as in task")
        played = {name: getattr(self, name) for name in REPLAYED if name != "looks"}
        played |= {f"looks.{number}": column for number, column in enumerate(self.looks)}
        for name, column in played.items() if any(played.values()) else ():
            if len(column) != len(self.task):
                raise ValueError(f"{name} has {len(column)} rows, wanted {len(self.task)} as in task")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what a file of an earlier version lacks, so that its content keeps its digest."""
        written: dict[str, Any] = serialise(self)
        return {name: column for name, column in written.items() if name not in REPLAYED or column}


class FittedFile(_Strict):
    """The whole file.

    verdict       "certified", or "infeasible": nothing can be promised and nothing is kept
    advice        what a person should do about it, "DO NOT CASCADE ..." among it
    longest       tokens of the longest answer that it was certified on
    fitted_on     digests of the questions that head and calibrator were fitted on: no certificate may use them
    certificates  of the complete answer's estimate alone, a ladder of epsilons; ``composed``: behind the gates
    """

    schema_: Literal["edgecascade.fitted/1"] = Field(default="edgecascade.fitted/1", alias="schema")
    id: str
    created: str
    identity: Identity
    system: str | None
    cloud: str | None
    promise: Literal["regret", "selective", "agreement"]
    epsilon: float = Field(gt=0, lt=1)
    delta: float = Field(gt=0, lt=1)
    verdict: Literal["certified", "infeasible"]
    advice: str
    head: HeadPart
    calibrator: dict[str, Any]
    certificates: tuple[dict[str, Any], ...]
    composed: tuple[dict[str, Any], ...]
    gates: tuple[GatePart, ...]
    reference: dict[str, Any]
    fingerprint: tuple[tuple[int, float], ...]
    tasks: tuple[str, ...]
    longest: int = Field(default=0, ge=0)
    fitted_on: tuple[str, ...] = ()
    selection: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    held_out: HeldOut

    @model_validator(mode="after")
    def _a_column_a_gate(self) -> Self:
        if self.held_out.exact and len(self.held_out.looks) != len(self.gates):
            raise ValueError(f"held_out.looks has {len(self.held_out.looks)} columns, wanted one for each gate")
        return self

    @model_validator(mode="after")
    def _known_tasks(self) -> Self:
        wrong = next((task for task in self.held_out.task if not 0 <= task < len(self.tasks)), None)
        if wrong is not None:
            raise ValueError(f"held_out.task names task {wrong}, wanted one of {len(self.tasks)}, counted from 0")
        return self

    @property
    def cloud_quality(self) -> float | None:
        """The mean of the cloud's scores on the certificate's questions, 0 to 1; None where it was not asked."""
        cloud = self.held_out.cloud
        return sum(cloud) / len(cloud) if cloud else None

    def chance(self, certificate: Certificate, least: float = 0.0) -> Chance:
        """Return the share of the held-out answers that a certificate keeps, and the mean p_correct of those.

        least  keep from here on where that is above the certificate's threshold

        What gates take of the answers at the threshold, they are taken to take of those above it.
        """
        covered = [p for p in self.held_out.exact or self.held_out.p if p >= certificate.threshold]
        kept = [p for p in covered if p >= least]
        if not kept:
            return Chance(0.0, 0.0)
        return Chance(certificate.share_kept * len(kept) / len(covered), fsum(kept) / len(kept))

    def digest(self) -> str:
        """Return the id that belongs to the content."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"id"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def check_out(out: Path, suffix: str, inputs: Iterable[Path]) -> None:
    """Raise FittedFileError where ``out`` has another suffix, or it or its head would replace an input.

    An input is each of the files and what belongs to it: a head (.onnx), or the numbers of attempts (.f32).
    """
    if out.suffix != suffix:  # so that no two files share their head
        raise FittedFileError(
            f"{out} cannot be written: found {out.suffix!r} at its end, wanted {suffix!r}; choose another --out"
        )
    there = next(folder for folder in out.absolute().parents if folder.exists())
    if not os.access(there, os.W_OK):
        raise FittedFileError(f"{out} cannot be written: found no right to write in {there}; choose another --out")
    written = [file for file in (out, onnx_beside(out)) if suffix == file.suffix or suffix == ".json"]
    for given in inputs:
        for read in (given, given.with_suffix(".onnx"), given.with_suffix(".f32")):
            for file in written:
                if file.exists() and read.exists() and file.samefile(read):
                    raise FittedFileError(
                        f"{file} would be written over: found it among what is read, wanted a file of its own; "
                        "choose another --out"
                    )


def write_fitted(path: Path, file: FittedFile, onnx: bytes) -> None:
    """Write both files, the head first unless it is linear; each is complete when it is visible."""
    text = file.model_dump_json(by_alias=True, indent=None) + "\n"
    if file.head.kind == "linear":  # served without its ONNX, but not beside another's: a kill in between does no harm
        onnx_beside(path).unlink(missing_ok=True)
        write_whole(path, text)
        write_bytes(onnx_beside(path), onnx)
    else:
        write_bytes(onnx_beside(path), onnx)
        write_whole(path, text)
    for whole in (path, onnx_beside(path)):
        whole.chmod(0o644)  # it is made to be handed on


def onnx_beside(path: Path) -> Path:
    """Return where the head of a fitted file lies."""
    return path.with_suffix(".onnx")


def read_fitted(path: Path) -> FittedFile:
    """Return a fitted file; FittedFileError for one that is damaged, changed by hand, or of another schema."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text)
    except OSError as error:
        raise FittedFileError(f"{path} cannot be read: {error.strerror or error}; wanted a fitted file") from error
    except ValueError as error:
        raise FittedFileError(f"{path} is no fitted file: {error}; wanted JSON by `calibrate fit`") from error
    found = raw.get("schema") if isinstance(raw, dict) else None
    if found != SCHEMA:
        raise FittedFileError(f"{path} has another schema: found {found!r}, wanted {SCHEMA!r}; fit again")
    try:
        file = FittedFile.model_validate(raw)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise FittedFileError(f"{path} is damaged: {place}: {problem['msg']}; restore it, or fit again") from error
    if file.id != file.digest():
        raise FittedFileError(
            f"{path} was changed after it was fitted: found content {file.digest()}, wanted {file.id}; "
            "restore it, or fit again"
        )
    return file


def user_fitted(folders: Folders, sha256: str) -> Path:
    """Return where this user's fitted file for a model file lies."""
    return folders.data / "fitted" / f"{sha256[:16]}.json"


def fitted_files(folders: Folders) -> Iterator[Path]:
    """Yield the user's fitted files, then the shipped ones."""
    for folder in (folders.data / "fitted", shipped("calibration/fitted")):
        yield from sorted(folder.glob("*.json"))
