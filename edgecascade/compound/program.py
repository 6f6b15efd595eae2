r"""A compound program: ordinary Python that asks models through its modules, each of which has one model allocated.

    @program("drafter", "checker")
    def careful(question, call):
        answer = call("drafter", question)
        return call("checker", f"Is this right? {answer}\n\n{question}")

It must say the same whenever its modules reply the same: no clock, no chance, nothing kept between two questions. It is
then known by its modules' replies alone, so it can be run again from a record of them (``replayed``), and two
allocations share every reply that they have in common. It calls one module after another, from no thread of its own.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from edgecascade.errors import ConfigError

MAX_TOKENS = 32
"""The longest reply of a module that asks for no other length: a small model says what it has to say early."""
MOST_CALLS = 200
"""On one question: to the same prompt a module replies the same, so a loop that waits for another reply never ends."""


class Call(Protocol):
    """Asks the model that is allocated to a module."""

    def __call__(self, module: str, prompt: str, *, max_tokens: int = MAX_TOKENS) -> str:
        """Return its reply."""


Run = Callable[[str, Call], str]


@dataclass(frozen=True, slots=True)
class Program:
    """A compound program.

    modules  the names that ``run`` calls, in the order in which they are improved
    run      from a question's text to the answer's, by calls
    about    one line for people
    """

    name: str
    modules: tuple[str, ...]
    run: Run
    about: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of a program: who was asked what, and how long the reply may be."""

    module: str
    prompt: str
    max_tokens: int


Replies = Callable[[Asked], str | None]
"""The reply that is on record of a call; None: there is none yet."""


@dataclass(frozen=True, slots=True)
class Played:
    """How far a program came with the replies on record.

    calls    with their replies, in order           answer  None where a reply is missing
    missing  the first call that has none; None where the program came to its end
    """

    calls: tuple[tuple[Asked, str], ...]
    answer: str | None = None
    missing: Asked | None = None


class _MissingError(BaseException):
    """Ends a program at its first call without a reply; one that catches even this has not answered for that."""


def program(*modules: str) -> Callable[[Run], Program]:
    """Return a decorator that makes a function a program of these modules, under its own name.

    >>> @program("speaker")
    ... def echo(question: str, call: Call) -> str:
    ...     return call("speaker", question)
    >>> echo.name, echo.modules
    ('echo', ('speaker',))
    """

    def made(run: Run) -> Program:
        name = getattr(run, "__name__", "program")
        return Program(name, modules, run, (run.__doc__ or "").strip().partition("\n")[0])

    return made


def replayed(program: Program, question: str, replies: Replies) -> Played:
    """Return how far the program comes on a question, by the replies on record.

    Raises ConfigError where it calls a module that it has not named, asks or answers with something that is no text, or
    calls without end; what else it raises is its own.
    """
    calls: list[tuple[Asked, str]] = []
    missing: Asked | None = None

    def call(module: str, prompt: str, *, max_tokens: int = MAX_TOKENS) -> str:
        nonlocal missing
        if missing:  # the program has caught what was to end it
            raise _MissingError
        _check_call(program, module, prompt, len(calls))
        asked = Asked(module, prompt, max_tokens)
        reply = replies(asked)
        if reply is None:
            missing = asked
            raise _MissingError
        calls.append((asked, reply))
        return reply

    answer = None
    with suppress(_MissingError):
        answer = program.run(question, call)
    if missing:
        return Played(tuple(calls), missing=missing)
    if not isinstance(answer, str):
        raise ConfigError(
            f"the program {program.name!r} gave no answer: found {type(answer).__name__}, wanted text; return a str"
        )
    return Played(tuple(calls), answer)


def _check_call(program: Program, module: str, prompt: object, calls: int) -> None:
    if module not in program.modules:
        raise ConfigError(
            f"the program {program.name!r} calls {module!r}: found no such module, wanted one of "
            f"{', '.join(program.modules)}; name it with the others"
        )
    if not isinstance(prompt, str):
        raise ConfigError(
            f"the program {program.name!r} asks {module!r} no question: found {type(prompt).__name__}, wanted text; "
            "make a str of it"
        )
    if calls >= MOST_CALLS:
        raise ConfigError(
            f"the program {program.name!r} does not end: found more than {MOST_CALLS} calls on one question, wanted "
            "fewer; asked the same, a module replies the same, so bound its loops"
        )


def check_program(program: Program) -> None:
    """Raise ConfigError where its modules cannot be allocated: before it is used, so that others of its file can be."""
    named = [module for module in program.modules if isinstance(module, str) and module]
    if not named or len(set(named)) != len(program.modules):
        raise ConfigError(
            f"the program {program.name!r} cannot be allocated: found modules {list(program.modules)}, wanted one or "
            "more different names; name each once"
        )


def check_allocation(program: Program, models: Mapping[str, str]) -> None:
    """Raise ConfigError where a module has no model, or a model is given to what is no module."""
    if unknown := [module for module in models if module not in program.modules]:
        raise ConfigError(
            f"the program {program.name!r} has no module {unknown[0]!r}: found a model for it, wanted models for "
            f"{', '.join(program.modules)}; leave it out"
        )
    if without := [module for module in program.modules if module not in models]:
        raise ConfigError(
            f"the program {program.name!r} cannot run: found no model for {', '.join(without)}, wanted one each; give "
            f"it with --allocate {without[0]}=MODEL"
        )
