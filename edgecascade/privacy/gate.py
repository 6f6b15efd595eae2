"""What may be sent of a question: the whole of it, the whole with placeholders, or nothing.

    question ─▶ findings in every text ─▶ the strictest action ─▶ sent | blocked
                                                └─▶ originals, which stay on the device

What was found in one place is hidden wherever else it stands in the question, whether it would be found there or not:
as it is, and as JSON spells it, for an earlier turn's arguments hold it that way.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from types import MappingProxyType

from edgecascade.errors import QuestionError
from edgecascade.privacy.finding import Finding, findings, joined
from edgecascade.privacy.rules import Rules, strictest
from edgecascade.records import Message, Privacy, Question

_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[\"\\/bfnrt]", re.ASCII
)
_FILLER = "\u200b"
"""An invisible character, which ``findings`` reads over."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What may be sent.

    messages  with placeholders where needed; () where the question is blocked
    privacy   the strictest action that applied
    kinds     that were found, sorted; () where nothing was looked for
    redacted  those of them that a placeholder stands for in what is sent
    blocked   which kind keeps the question on the device, and where it stands; None: it may be sent
    restore   the originals by placeholder, as ``restored`` and ``Restorer`` take them
    choices, turned   those of the question, likewise
    """

    messages: tuple[Message, ...]
    privacy: Privacy
    kinds: tuple[str, ...] = ()
    blocked: str | None = None
    restore: Mapping[str, str] = field(default_factory=dict, repr=False)
    choices: tuple[str, ...] = ()
    turned: tuple[Message, ...] = ()
    redacted: tuple[str, ...] = ()


def clear(question: Question, rules: Rules) -> Cleared:
    """Return what may be sent of a question, by its own ``privacy`` and by the rules; the strictest wins.

    >>> clear(Question.of("Write to ada@example.org."), Rules()).messages[0].content
    'Write to [EMAIL_1].'
    """
    # 1. A question that stays here is not even looked at.
    wanted = question.privacy or rules.default
    if wanted == "never":
        return Cleared((), "never", blocked="the question itself may not leave the device")

    # 2. What is in it, and what may be done with that.
    parts = tuple(dict.fromkeys(_parts(question)))
    found = {part: _found(part, rules) for part in parts}
    kinds = tuple(sorted({finding.kind for each in found.values() for finding in each}))
    actions = {kind: strictest(wanted, rules.kinds.get(kind)) for kind in kinds}
    applied = strictest(wanted, *actions.values())

    # 3. Blocked, or hidden.
    hidden = {part: [each for each in some if actions[each.kind] != "allow"] for part, some in found.items()}
    forms = _forms(hidden)
    if blocked := _blocked(hidden, forms, actions):
        return Cleared((), applied, kinds, blocked)
    placeholders = _Placeholders(hidden, forms)
    messages = tuple(
        placeholders.message(message, _answers_in_json(question, message)) for message in question.messages
    )
    turned = tuple(placeholders.message(message, _answers_in_json(question, message)) for message in question.turned)
    choices = tuple(placeholders.redacted(choice) for choice in question.choices)
    return Cleared(
        messages, applied, kinds,
        restore=placeholders.restore, choices=choices, turned=turned, redacted=placeholders.kinds,
    )  # fmt: skip


def cleared_question(question: Question, cleared: Cleared) -> Question:
    """Return the question as it may be sent; raises QuestionError where it may not."""
    if cleared.blocked is not None:
        raise QuestionError(f"this question may not be sent: {cleared.blocked}; let the device answer it")
    return replace(question, messages=cleared.messages, choices=cleared.choices, turned=cleared.turned)


@dataclass(frozen=True, slots=True)
class _Part:
    """One text of a question.

    fixed  a placeholder in it would change what it does       is_json  what stands in it is spelled as JSON spells it
    drawn  it was drawn at random
    """

    where: str
    text: str
    fixed: bool = False
    is_json: bool = False
    drawn: bool = False


def _parts(question: Question) -> Iterator[_Part]:
    """Yield every text that would be sent, in order."""
    for message in (*question.messages, *question.turned):
        is_json = _answers_in_json(question, message)
        yield _Part(f"a message of the {message.role}", message.content, is_json=is_json)
        for call in message.tool_calls:
            yield _Part("the arguments of a tool call", call.arguments, is_json=True)
            yield _Part("the name of a tool call", call.name, fixed=True)
            yield _Part("the id of a tool call", call.id, fixed=True, drawn=True)
        yield _Part("the id of a tool call", message.tool_call_id or "", fixed=True, drawn=True)
    yield from (_Part("a choice", choice) for choice in question.choices)
    for tool in question.tools:
        yield from (_Part("a tool", text, fixed=True) for text in (tool.name, tool.description))
        yield _Part("a tool", tool.parameters, fixed=True, is_json=True)
    yield from (_Part("a stop string", stop, fixed=True) for stop in question.sampling.stop)
    yield _Part("the schema", question.schema or "", fixed=True, is_json=True)
    yield _Part("the grammar", question.sampling.grammar or "", fixed=True)


def _found(part: _Part, rules: Rules) -> list[Finding]:
    """Return the private parts of a part; that a drawn one looks like a random word says nothing."""
    if part.is_json:
        return _found_in_json(part.text, rules)
    return [each for each in findings(part.text, rules) if not (part.drawn and each.kind == "secret")]


def _found_in_json(text: str, rules: Rules) -> list[Finding]:
    r"""Return the private parts of JSON, read as what it says: in "\n4111..." no letter n stands before the number."""
    read = _ESCAPE.sub(lambda escape: _plain(escape[0]).ljust(len(escape[0]), _FILLER), text)
    found = []
    for each in findings(read, rules):
        end = each.end + len(read[each.end :]) - len(read[each.end :].lstrip(_FILLER))
        found.append(Finding(each.kind, each.start, end, text[each.start : end]))
    return found


def _answers_in_json(question: Question, message: Message) -> bool:
    return question.schema is not None and message.role == "assistant"


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to write an original."""

    kind: str
    original: str = field(repr=False)


def _forms(hidden: Mapping[_Part, list[Finding]]) -> dict[str, _Form]:
    """Return every way in which an original may stand in the question: as it was found, plain, and in JSON."""
    forms: dict[str, _Form] = {}
    for part, some in hidden.items():
        for each in some:
            forms.setdefault(each.text, _Form(each.kind, _plain(each.text) if part.is_json else each.text))
    for form in tuple(forms.values()):
        spelled = (json.dumps(form.original, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True))
        for text in (form.original, *spelled):
            forms.setdefault(text, form)
    return forms


def _plain(spelled: str) -> str:
    """Return what a part of a JSON string says; what is no such part is left as it is."""
    try:
        said = str(json.loads(f'"{spelled}"'))
        said.encode()
    except ValueError:
        return spelled
    return said


def _blocked(
    hidden: Mapping[_Part, list[Finding]], forms: Mapping[str, _Form], actions: Mapping[str, Privacy]
) -> str | None:
    """Return why nothing may be sent, without a word of what was found; None where it may."""
    for part, some in hidden.items():
        for each in some:
            if actions[each.kind] == "never":
                return f"{each.kind} in {part.where}, which the rules never let leave the device"
        if part.fixed and (kinds := sorted({form.kind for text, form in forms.items() if text in part.text})):
            return f"{kinds[0]} in {part.where}, where no placeholder can stand"
    return None


class _Placeholders:
    """Hides originals, the same one always behind the same placeholder, and never behind a word of the question."""

    def __init__(self, hidden: Mapping[_Part, list[Finding]], forms: Mapping[str, _Form]) -> None:
        self._hidden = {(part.text, part.is_json): some for part, some in hidden.items() if not part.fixed}
        self._forms = forms
        self._taken = "\n".join(part.text for part in hidden).lower() if forms else ""
        self._numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(1))
        self._given: dict[str, str] = {}

    @property
    def restore(self) -> Mapping[str, str]:
        return MappingProxyType({placeholder: original for original, placeholder in self._given.items()})

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that placeholders stand for."""
        return tuple(sorted(self._numbers))

    def message(self, message: Message, is_json: bool) -> Message:
        calls = tuple(
            replace(call, arguments=self.redacted(call.arguments, is_json=True)) for call in message.tool_calls
        )
        return replace(message, content=self.redacted(message.content, is_json=is_json), tool_calls=calls)

    def redacted(self, text: str, *, is_json: bool = False) -> str:
        """Return the text with placeholders for what was found in it, and for what was found anywhere else."""
        spans = [(each.start, each.end, each.kind) for each in self._hidden[text, is_json]]
        for written, form in self._forms.items():
            spans += [(start, start + len(written), form.kind) for start in _places(written, text)]
        pieces, behind = [], 0
        for start, end, kind in joined((start, end, (0, end - start, 0), kind) for start, end, kind in spans):
            written = text[start:end]
            plain = _plain(written) if is_json else written
            original = self._forms[written].original if written in self._forms else plain
            pieces += [text[behind:start], self._placeholder(kind, original)]
            behind = end
        return "".join((*pieces, text[behind:]))

    def _placeholder(self, kind: str, original: str) -> str:
        if original not in self._given:
            names = (f"{kind}_{number}" for number in self._numbers[kind])
            self._given[original] = f"[{next(name for name in names if name not in self._taken).upper()}]"
        return self._given[original]


def _places(original: str, text: str) -> Iterator[int]:
    """Yield where the original begins in the text, overlapping places too."""
    start = text.find(original)
    while start >= 0:
        yield start
        start = text.find(original, start + 1)
