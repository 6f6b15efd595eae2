"""The questions of a table as they look before any model has answered, and where that comes from.

recorded   estimates that the table brings           hidden   the local model's own state behind the prompt
encoder    an ONNX sentence encoder's vectors        text     the words alone
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from edgecascade.encoders import BATCH, SentenceEncoder
from edgecascade.errors import PolicyError
from edgecascade.local import open_engine
from edgecascade.pool import FeatureKind, Queries, Table
from edgecascade.pull import pull, sha256_of_model, system_of
from edgecascade.querying.live import prompt_state
from edgecascade.records import Question
from edgecascade.store.paths import Folders
from edgecascade.store.specs import is_server
from edgecascade.store.vectors import Progress, Vectors, vectors_of

Kind = Literal["auto"] | FeatureKind


def queries_of(
    table: Table,
    *,
    kind: Kind = "auto",
    encoder: Path | None = None,
    model: str | None = None,
    folders: Folders,
    progress: Progress = lambda done, of: None,
) -> Queries:
    """Return a table's questions as they look before any model has answered.

    kind     "auto": what was named, else what the table brings, else the words
    encoder  folder or file of a sentence encoder          model  a local model, whose states are then computed

    States and vectors are kept in the cache: a second time, or after Ctrl-C, only the rest is computed.
    Raises PolicyError for a kind that neither the table nor the arguments give.
    """
    chosen = _chosen(table, encoder, model) if kind == "auto" else kind
    match chosen:
        case "recorded":
            return _recorded(table)
        case "encoder":
            return _encoded(table, encoder, folders, progress)
        case "hidden":
            return _hidden(table, model, folders, progress)
        case _:
            return Queries(kind="text", source="the words alone (TF-IDF)", texts=table.texts)


def _chosen(table: Table, encoder: Path | None, model: str | None) -> FeatureKind:
    if encoder is not None:
        return "encoder"
    if model is not None or table.states is not None:
        return "hidden"
    return "recorded" if np.isfinite(table.before).all() else "text"


def _recorded(table: Table) -> Queries:
    if not np.isfinite(table.before).all():
        raise PolicyError(
            "no features of the kind 'recorded': found rows without `estimates`, wanted one of each model in every row"
        )
    return Queries(kind="recorded", source="the table's own estimates", texts=table.texts, vectors=table.before)


def _encoded(table: Table, path: Path | None, folders: Folders, progress: Progress) -> Queries:
    if path is None:
        raise PolicyError("no features of the kind 'encoder': found no encoder, wanted --encoder PATH")
    encoder = SentenceEncoder(path)
    digest = sha256_of_model(encoder.path, folders)
    vectors = vectors_of(table.texts, encoder, key=digest, path=_cache(folders), at_once=BATCH, progress=progress)
    return Queries(
        kind="encoder", source=str(path), texts=table.texts, vectors=vectors.astype(np.float64), sha256=digest
    )


def _hidden(table: Table, model: str | None, folders: Folders, progress: Progress) -> Queries:
    """Return the states that recorded attempts brought along, or those of a model that reads every prompt now."""
    if model is None:
        if table.states is None:
            raise PolicyError(
                "no features of the kind 'hidden': found no states in the table, wanted --attempts with theirs, or "
                "--model SPEC to compute them"
            )
        return Queries(
            kind="hidden",
            source=table.reader or "a model whose attempts were recorded",
            texts=table.texts,
            vectors=table.states,
        )
    return _read(table.texts, model, folders, progress)


def _read(texts: tuple[str, ...], model: str, folders: Folders, progress: Progress) -> Queries:
    """Return a local model's hidden state behind each prompt; its system message stands first, as live."""
    if is_server(model):
        raise PolicyError(f"{model} is a server and tells no hidden states: wanted a model that is loaded here")
    file = pull(
        model, folders=folders, environment=os.environ, home=Path.home(), progress=lambda done, total, what: None
    )
    system, digest = system_of(file, folders), file.sha256 or sha256_of_model(file.path, folders)
    with open_engine(file.path, folders=folders) as engine:

        def read(batch: Sequence[str]) -> Vectors:
            return np.array([prompt_state(engine, Question.of(text, system=system)) for text in batch], np.float32)

        states = vectors_of(texts, read, key=f"{digest} {system}", path=_cache(folders), progress=progress)
    return Queries(kind="hidden", source=file.name, texts=texts, vectors=states.astype(np.float64), sha256=digest)


def _cache(folders: Folders) -> Path:
    return folders.cache / "vectors.db"
