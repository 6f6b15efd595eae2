"""Nothing private is sent against the rules, and nothing that is sent tells what was hidden."""

import json
import random
from dataclasses import replace
from itertools import product

import pytest

from edgecascade.errors import QuestionError
from edgecascade.privacy import Cleared, Pattern, Rules, clear, cleared_question, in_json, restored
from edgecascade.prompts import choose
from edgecascade.records import PRIVACY, Limits, Message, Question, Sampling, Tool, ToolCall

EMAIL, CARD, IBAN, PHONE = "ada@example.org", "4111 1111 1111 1111", "DE89370400440532013000", "+49 30 901820"
PRIVATE = (EMAIL, "grace@example.com", CARD, "5555555555554444", IBAN, PHONE, "536-90-4399", "a\u200bb@example.net")


def contents(cleared: Cleared) -> list[str]:
    """Return what may be sent, one text a message."""
    return [message.content for message in cleared.messages]


def test_the_same_original_has_the_same_placeholder() -> None:
    """An address is one placeholder throughout, another address another, numbered as they come."""
    asked = Question.of(f"Is {EMAIL} b@c.org? No, {EMAIL}.", system=f"You are {EMAIL}.")
    cleared = clear(asked, Rules())

    assert contents(cleared) == ["You are [EMAIL_1].", "Is [EMAIL_1] [EMAIL_2]? No, [EMAIL_1]."]
    assert cleared.restore == {"[EMAIL_1]": EMAIL, "[EMAIL_2]": "b@c.org"}
    assert (cleared.privacy, cleared.kinds, cleared.blocked) == ("redact", ("email",), None)


@pytest.mark.parametrize(("own", "default", "kind"), [*product((None, *PRIVACY), PRIVACY, (None, *PRIVACY))])
def test_the_strictest_action_applies(own: str | None, default: str, kind: str | None) -> None:
    """A kind goes as the question or else the default says, unless its own rule is stricter."""
    rules = Rules(default=default, kinds={"email": kind} if kind else {})
    cleared = clear(replace(Question.of(f"Mail {EMAIL}"), privacy=own), rules)

    wanted = max(own or default, kind or "allow", key=PRIVACY.index)
    sent = {"allow": [f"Mail {EMAIL}"], "redact": ["Mail [EMAIL_1]"], "never": []}[wanted]
    assert (cleared.privacy, contents(cleared), cleared.blocked is not None) == (wanted, sent, wanted == "never")


def test_what_may_go_is_reported_all_the_same() -> None:
    """Under allow the question goes as it is, and the kinds in it are said."""
    asked = replace(Question.of(f"{EMAIL} {CARD}"), privacy="allow")
    cleared = clear(asked, Rules())

    assert (cleared.messages, cleared.kinds, cleared.restore) == (asked.messages, ("card", "email"), {})
    assert cleared.redacted == ()


def test_a_stricter_kind_is_hidden_alone() -> None:
    """Under allow a kind whose rule is redact is hidden, and the others go."""
    cleared = clear(replace(Question.of(f"{EMAIL} {CARD}"), privacy="allow"), Rules(kinds={"card": "redact"}))

    assert (contents(cleared), cleared.privacy) == ([f"{EMAIL} [CARD_1]"], "redact")
    assert (cleared.kinds, cleared.redacted) == (("card", "email"), ("card",))


def test_a_question_that_stays_is_not_looked_at() -> None:
    """Under never nothing is sent, whatever is in it."""
    cleared = clear(replace(Question.of("Hello"), privacy="never"), Rules(default="allow"))

    assert cleared == Cleared((), "never", blocked="the question itself may not leave the device")


def called(id: str, name: str) -> tuple[Message, ...]:
    """Return a turn that called a tool."""
    return (Message("user", "Mail it."), Message("assistant", "Now.", (ToolCall(id, name, "{}"),)))


def history(text: str) -> list[Question]:
    """Return questions that hold the text in each place that a placeholder can take."""
    user, call = Message("user", "And now?"), ToolCall("call_1", "find", f'{{"who": "{text}"}}')
    before = [Message(role, f"About {text}.") for role in ("system", "user", "assistant", "tool")]
    return [
        *(Question((message, user)) for message in before),
        Question((Message("assistant", "", (call,)), user)),
        choose("Which one?", [f"It is {text}", "none"]),
        replace(Question.of("Which?"), turned=(Message("user", f"{text}?"),), choices=(text, "none")),
    ]


@pytest.mark.parametrize("private", PRIVATE)
def test_every_place_passes_the_gate(private: str) -> None:
    """System prompts, history, tool calls and their results, choices and their turned form are cleared alike."""
    for question in history(private):
        cleared = clear(question, Rules())

        sent = cleared_question(question, cleared)
        assert private not in repr(sent)
        assert private not in repr(cleared)
        back = [
            replace(
                message,
                content=restored(message.content, cleared.restore),
                tool_calls=tuple(
                    replace(call, arguments=restored(call.arguments, cleared.restore)) for call in message.tool_calls
                ),
            )
            for message in (*sent.messages, *sent.turned)
        ]
        assert back == [*question.messages, *question.turned]
        assert [restored(choice, cleared.restore) for choice in sent.choices] == [*question.choices]


PASSWORD = "pä-ss\\w0rd"
"""JSON spells it in other letters."""


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("schema", [None, '{"type": "object"}'])
def test_what_was_found_is_hidden_as_json_spells_it(ascii_only: bool, schema: str | None) -> None:
    """An earlier turn's arguments, and a JSON answer that broke off, hold it that way."""
    user, spelled = (
        Message("user", f"My password: '{PASSWORD}'; mail it"),
        json.dumps(PASSWORD, ensure_ascii=ascii_only),
    )
    call = ToolCall("call_1", "mail", f'{{"say": {spelled}}}')
    before = (Message("assistant", f'{{"a": {spelled}', (call,)), Message("tool", f'{{"sent": {spelled}}}'))
    cleared = clear(Question((user, *before), schema=schema), Rules())

    sent = cleared.messages
    assert [message.content for message in sent[1:]] == ['{"a": "[SECRET_1]"', '{"sent": "[SECRET_1]"}']
    assert sent[1].tool_calls[0].arguments == '{"say": "[SECRET_1]"}'
    assert cleared.restore == {"[SECRET_1]": PASSWORD}


@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_only_arguments_hold_is_read_as_what_they_say(ascii_only: bool) -> None:
    """Behind a line break, or in escapes: what is found there comes back as JSON that says the same."""
    said = {"to": "Dear\nada@example.org", "paid": "with\t4111 1111 1111 1111", "password": PASSWORD, "by": "ä@b.de"}
    call = ToolCall("call_1", "mail", json.dumps(said, ensure_ascii=ascii_only))
    cleared = clear(Question((Message("assistant", "", (call,)), Message("user", "And?"))), Rules())

    sent = cleared.messages[0].tool_calls[0].arguments
    hidden = {"to": "Dear\n[EMAIL_1]", "paid": "with\t[CARD_1]", "password": "[SECRET_1]", "by": "[EMAIL_2]"}
    assert json.loads(sent) == hidden
    assert json.loads(restored(sent, in_json(cleared.restore))) == said
    assert cleared.redacted == ("card", "email", "secret")


FIXED = [
    ("a tool", {"tools": (Tool("mail", f"Mails to {EMAIL}.", "{}"),)}),
    ("a tool", {"tools": (Tool("mail", "Mails.", f'{{"default": "{EMAIL}"}}'),)}),
    ("the schema", {"schema": f'{{"const": "{EMAIL}"}}'}),
    ("a stop string", {"sampling": Sampling(stop=(EMAIL,))}),
    ("the schema", {"schema": json.dumps({"const": f"A\n{CARD}"})}),
    ("the name of a tool call", {"messages": called("call_1", f"mail_{EMAIL}")}),
    ("the id of a tool call", {"messages": called(EMAIL, "mail")}),
    ("the id of a tool call", {"messages": (Message("tool", "sent", tool_call_id=EMAIL),)}),
    ("the grammar", {"sampling": Sampling(grammar=f'root ::= "{EMAIL}"')}),
]


@pytest.mark.parametrize(("where", "what"), FIXED)
def test_where_no_placeholder_can_stand_the_question_stays(where: str, what: dict[str, object]) -> None:
    """A finding in a schema, a tool or a stop string blocks the question, except where it may go as it is."""
    question = replace(Question.of("Hello"), **what)
    cleared = clear(question, Rules())

    kind = "card" if CARD in str(what) else "email"
    assert cleared.blocked == f"{kind} in {where}, where no placeholder can stand"
    assert clear(replace(question, privacy="allow"), Rules()).blocked is None


@pytest.mark.parametrize("id", ["call_9pw1qnYScqvGrCH58HWCvFH6", "cAlL7xK2pQ9sT4vW8yZ1bN5mR3fG6hJ0"])
def test_an_id_that_was_drawn_is_no_secret(id: str) -> None:
    """The ids of tool calls are random words, and a cloud gave them; what is private elsewhere blocks them too."""
    asked = Question((*called(id, "mail"), Message("tool", "sent", tool_call_id=id), Message("user", "And?")))

    assert clear(asked, Rules()).messages == asked.messages
    assert clear(replace(asked, messages=(*asked.messages, Message("user", f"password: {id}"))), Rules()).blocked


def test_a_blocked_question_tells_nothing() -> None:
    """The reason names kind and place; neither it nor the repr nor the error holds the secret, and nothing is left."""
    question = Question((Message("tool", f"Paid with {CARD}"), Message("user", f"Mail {EMAIL}")))
    cleared = clear(question, Rules(kinds={"card": "never"}))

    assert cleared.blocked == "card in a message of the tool, which the rules never let leave the device"
    assert (cleared.messages, cleared.restore, cleared.kinds) == ((), {}, ("card", "email"))
    with pytest.raises(QuestionError, match="card in a message of the tool") as error:
        cleared_question(question, cleared)
    assert not any(secret in f"{error.value!r} {cleared!r}" for secret in (CARD, EMAIL))


def test_what_was_found_once_is_hidden_everywhere() -> None:
    """A password that only its name gave away is hidden where it stands alone, also in the middle of a word."""
    cleared = clear(Question.of("password: swordfish\nWhy is swordfish weak, or myswordfish2?"), Rules())

    assert contents(cleared) == ["password: [SECRET_1]\nWhy is [SECRET_1] weak, or my[SECRET_1]2?"]
    assert clear(
        replace(Question.of("password: swordfish"), tools=(Tool("t", "eats swordfish", "{}"),)), Rules()
    ).blocked


def test_a_placeholder_of_the_users_own_is_left_alone() -> None:
    """Numbers that the question already uses, in any form, are skipped: restoring gives back what was asked."""
    asked = f"[EMAIL_1] and email_2, Email_30 are not {EMAIL}"
    cleared = clear(Question.of(asked), Rules())

    assert contents(cleared) == ["[EMAIL_1] and email_2, Email_30 are not [EMAIL_4]"]
    assert restored(contents(cleared)[0], cleared.restore) == asked


def test_patterns_are_kinds() -> None:
    """A pattern of the user's own is hidden behind its name, and its rule may keep the question here."""
    patterns = (Pattern("project", r"(?i)blue ?bird"),)
    asked = Question.of("How late is Bluebird?")

    assert contents(clear(asked, Rules(patterns=patterns))) == ["How late is [PROJECT_1]?"]
    assert clear(asked, Rules(patterns=patterns, kinds={"project": "never"})).blocked


def test_what_else_is_asked_stays() -> None:
    """Sampling, limits, mode and tools of a cleared question are those of the question."""
    question = replace(
        Question.of(f"Mail {EMAIL}"), limits=Limits(calls=1), mode="prefer_in_cloud", tools=(Tool("t", "d", "{}"),)
    )
    sent = cleared_question(question, clear(question, Rules()))

    assert sent == replace(question, messages=(Message("user", "Mail [EMAIL_1]"),))


def test_any_mixture_is_hidden_and_comes_back() -> None:
    """In seeded mixtures nothing of an original is in what is sent, and restoring gives what was asked."""
    draw = random.Random(7)
    words = (*PRIVATE, "why", "[EMAIL_1]", "CARD_2", "[", "]", "x", "ü", "[[PHONE_", "\n", "EMAIL_")
    for _ in range(300):
        asked = [" ".join(draw.choices(words, k=draw.randrange(1, 12))) + "?" for _ in range(3)]
        question = Question(tuple(Message("user", text) for text in asked))
        cleared = clear(question, Rules())

        assert [restored(text, cleared.restore) for text in contents(cleared)] == asked
        assert not any(original in text for original in cleared.restore.values() for text in contents(cleared))
        assert not any(private in text for private in PRIVATE for text in contents(cleared))
        assert not any(placeholder in text for placeholder in cleared.restore for text in asked)


def test_clearing_twice_changes_nothing() -> None:
    """What was cleared holds nothing that would be hidden again."""
    asked = Question.of(" ".join(PRIVATE) + " password: swordfish")
    cleared = clear(asked, Rules())

    again = clear(cleared_question(asked, cleared), Rules())
    assert again == replace(cleared, privacy="redact", kinds=(), restore={}, redacted=())
