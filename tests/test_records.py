"""Wrong values are refused when a record is made."""

import pytest

from edgecascade.errors import QuestionError, SamplingError
from edgecascade.records import Message, Question, Sampling


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"temperature": -0.1}, "temperature = -0.1"),
        ({"temperature": 1e-46}, "temperature = 1e-46"),
        ({"repeat_penalty": 1e-46}, "repeat_penalty"),
        ({"stop": "END"}, "stop"),
        ({"max_tokens": 2.5}, "max_tokens"),
        ({"top_k": 1.5}, "top_k"),
        ({"temperature": float("nan")}, "temperature = nan"),
        ({"top_k": -1}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"min_p": 1.0}, "min_p"),
        ({"repeat_penalty": 0.0}, "repeat_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": -1}, "seed"),
        ({"stop": ("",)}, "stop"),
    ],
)
def test_an_impossible_sampling_value_is_refused(values: dict[str, float], named: str) -> None:
    """Each value out of range is named with what was wanted."""
    with pytest.raises(SamplingError, match=named):
        Sampling(**values)


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_an_empty_question_is_refused(text: str) -> None:
    """White space is not a question."""
    with pytest.raises(QuestionError, match="empty"):
        Question.of(text)


def test_a_question_needs_messages_and_known_roles() -> None:
    """No message, or one of a role that no template knows, is refused."""
    with pytest.raises(QuestionError, match="without messages"):
        Question(())
    with pytest.raises(QuestionError, match="not text"):
        Message("user", "a \udcff")
    with pytest.raises(QuestionError, match="unknown role 'robot'"):
        Message("robot", "42")  # type: ignore[arg-type]
