r"""A compound program: ordinary Python that asks models through its modules, each of which has one model allocated.

    @program("drafter", "checker")
    def careful(question, call):
        answer = call("drafter", question)
        return call("checker", f"Is this right? {answer}\n\n{question}")

It must say the same whenever its modules reply the same: no clock, no chance, nothing kept between two questions. It is
then known by its modules' replies alone, so it can be run again from a record of them (``replayed``), and two
allocations share every reply that they have in common.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from edgecascade.errors import ConfigError

MAX_TOKENS = 32
"""The longest reply of a module that asks for no other length: a small model says what it has to say early."""


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

    def __post_init__(self) -> None:
        if not self.modules or len(set(self.modules)) != len(self.modules):
            raise ConfigError(
                f"the program {self.name!r} cannot be allocated: found modules {list(self.modules)}, wanted one or "
                "more different names; name each once"
            )


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
    """Ends a program at its first call without a reply; no ``except Exception`` of a program stops it."""


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

    Raises ConfigError where it calls a module that it has not named, or answers with something that is no text; what
    else it raises is its own.
    """
    calls: list[tuple[Asked, str]] = []
    missing: Asked | None = None

    def call(module: str, prompt: str, *, max_tokens: int = MAX_TOKENS) -> str:
        nonlocal missing
        _check_module(program, module)
        asked = Asked(module, prompt, max_tokens)
        reply = replies(asked)
        if reply is None:
            missing = asked
            raise _MissingError
        calls.append((asked, reply))
        return reply

    try:
        answer = program.run(question, call)
    except _MissingError:
        return Played(tuple(calls), missing=missing)
    if not isinstance(answer, str):
        raise ConfigError(
            f"the program {program.name!r} gave no answer: found {type(answer).__name__}, wanted text; return a str"
        )
    return Played(tuple(calls), answer)


def _check_module(program: Program, module: str) -> None:
    if module not in program.modules:
        raise ConfigError(
            f"the program {program.name!r} calls {module!r}: found no such module, wanted one of "
            f"{', '.join(program.modules)}; name it with the others"
        )


def check_allocation(program: Program, models: Mapping[str, str]) -> None:
    """Raise ConfigError where a module has no model, or a model is given to what is no module."""
    for module in models:
        _check_module(program, module)
    if without := [module for module in program.modules if module not in models]:
        raise ConfigError(
            f"the program {program.name!r} cannot run: found no model for {', '.join(without)}, wanted one each; give "
            f"it with --allocate {without[0]}=MODEL"
        )
