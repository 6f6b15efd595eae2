"""A conversation that grows turn by turn, and can be saved and taken up again."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from edgecascade.errors import InputError, QuestionError
from edgecascade.records import Answer, Message, Question, Sampling
from edgecascade.store.files import write_whole

SCHEMA = 1


@dataclass(slots=True)
class Conversation:
    """The turns so far, with the answers of this session; the system message stands apart, so that it can change."""

    system: str | None = None
    turns: list[Message] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def question(self, text: str, sampling: Sampling) -> Question:
        """Return the next question, everything said before it included."""
        if not text.strip():
            raise QuestionError("the question is empty: found no text, wanted at least one word")
        first = [Message("system", self.system)] if self.system else []
        return Question((*first, *self.turns, Message("user", text)), sampling)

    def add(self, text: str, answer: Answer) -> None:
        """Take up a question and its answer."""
        self.turns += [Message("user", text), Message("assistant", answer.text)]
        self.answers.append(answer)

    def reset(self) -> None:
        """Forget the turns; the system message stays."""
        self.turns.clear()
        self.answers.clear()

    def save(self, path: Path) -> None:
        """Write the conversation as JSON."""
        turns = [{"role": turn.role, "content": turn.content} for turn in self.turns]
        text = json.dumps({"schema": SCHEMA, "system": self.system, "messages": turns}, ensure_ascii=False, indent=1)
        try:
            write_whole(path, text + "\n")
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}; choose a folder that you may write to") from error

    @classmethod
    def load(cls, path: Path) -> "Conversation":
        """Return a saved conversation; raises InputError for any other file."""
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise InputError(f"cannot read {path}: {error}; wanted a file written by /save") from error
        if not isinstance(kept, dict) or kept.get("schema") != SCHEMA or not isinstance(kept.get("system"), str | None):
            raise InputError(
                f"{path} is not a saved conversation: wanted JSON with schema {SCHEMA}, as /save writes it"
            )
        try:
            turns = [Message(turn["role"], str(turn["content"])) for turn in kept["messages"]]
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: a message lacks role or content ({error}); wanted both in each") from error
        return cls(kept.get("system"), turns)
