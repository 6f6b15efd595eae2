"""What questions look like before they are answered: of a table, and of one on its way."""

import threading
from pathlib import Path

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.evidence import draft
from edgecascade.llama.engine import Engine
from edgecascade.pool import Queries, Table
from edgecascade.querying.gathering import queries_of
from edgecascade.querying.live import live_features, prompt_state, text_of
from edgecascade.records import Message, Question, Sampling
from edgecascade.store.paths import Folders

TEXTS = ("What is the capital of Peru?", "What is 17 times 23?")
WORDS = Queries(kind="text", source="", texts=TEXTS)


def table(**known: object) -> Table:
    """Two questions, two models."""
    return Table.of(np.eye(2), texts=TEXTS, **known)


def lengths(queries: Queries) -> np.ndarray:
    """The simplest features: how long a text is, or the vectors as they are."""
    return np.array([[len(text)] for text in queries.texts], float) if queries.vectors is None else queries.vectors


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ({}, "text"),
        ({"before": np.full((2, 2), 0.5)}, "recorded"),
        ({"states": np.ones((2, 3)), "before": np.full((2, 2), 0.5)}, "hidden"),
    ],
)
def test_what_the_table_brings_is_used(known: dict[str, np.ndarray], kind: str, tmp_path: Path) -> None:
    """States before estimates before the words alone."""
    found = queries_of(table(**known), folders=Folders.of({"EDGECASCADE_HOME": str(tmp_path)}))

    assert found.kind == kind and found.texts == TEXTS


@pytest.mark.parametrize(("kind", "said"), [("recorded", "estimates"), ("hidden", "--model"), ("encoder", "--encoder")])
def test_a_kind_that_is_not_there_is_refused(kind: str, said: str, tmp_path: Path) -> None:
    """What was found, and what would give it."""
    with pytest.raises(PolicyError, match=said):
        queries_of(table(), kind=kind, folders=Folders.of({"EDGECASCADE_HOME": str(tmp_path)}))  # type: ignore[arg-type]


def test_states_come_from_a_real_model_and_are_kept(engine: Engine, tmp_path: Path) -> None:
    """A table's prompts are read once; the second time no model is opened."""
    folders, said = Folders.of({"EDGECASCADE_HOME": str(tmp_path)}), list[tuple[int, int]]()
    found = queries_of(table(), model=str(engine.path), folders=folders, progress=lambda *at: said.append(at))
    again = queries_of(table(), model=str(engine.path), folders=folders)

    assert found.vectors is not None and again.vectors is not None
    assert found.vectors.shape == (2, engine.width) and (found.vectors == again.vectors).all()
    assert said[-1] == (2, 2)


def test_a_prompts_state_is_that_of_the_draft_that_follows(engine: Engine) -> None:
    """What decides before the answer is what the answer itself would have recorded; its prompt is in memory by then."""
    question = Question.of("word " * engine.settings.chunk, sampling=Sampling(max_tokens=1))
    state = prompt_state(engine, question)
    made = draft(engine, question, hidden=True)
    repeated = prompt_state(engine, question)

    assert made.hidden is not None and (state == made.hidden.prompt).all() and (repeated == state).all()


def test_cancel_ends_the_reading_of_a_prompt(engine: Engine) -> None:
    """There is no state then, and nothing was computed."""
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(PolicyError, match="no hidden state"):
        live_features(lengths, "hidden", reader=engine)(Question.of(TEXTS[0]), cancel)


def test_features_live_are_those_of_the_table(engine: Engine) -> None:
    """By the words alone and by a model's state: the same question has the same features."""
    question = Question.of(TEXTS[0])
    read = Queries(
        kind="hidden", source="", texts=TEXTS[:1], vectors=prompt_state(engine, question)[None].astype(float)
    )

    assert (live_features(lengths, "text")(question) == lengths(WORDS)[0]).all()
    assert (live_features(lengths, "hidden", reader=engine)(question) == lengths(read)[0]).all()


@pytest.mark.parametrize("kind", ["hidden", "encoder", "recorded"])
def test_features_that_nothing_here_makes_are_refused(kind: str) -> None:
    """No model, no encoder; recorded estimates there are none of live."""
    with pytest.raises(PolicyError, match="wanted"):
        live_features(lengths, kind)  # type: ignore[arg-type]


def test_what_is_asked_last_counts() -> None:
    """Not the system message, and not the earlier turns."""
    turns = (Message("system", "Be brief."), Message("user", "a"), Message("assistant", "b"), Message("user", "c"))

    assert text_of(Question(turns)) == "c"
