"""A name for each way in which a cloud goes wrong, and a table of all, for a test to run over."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType

from edgecascade.testing.cloud import LoopbackCloud
from edgecascade.testing.replies import BREAK, FILL, Reply

TEXT = "The capital of France is Paris."


def status(code: int, message: str = "not now", *, retry_after: float | timedelta | str | None = None) -> Reply:
    """Return an error; ``retry_after`` in seconds, as a timedelta for the date so long after now, or as it is."""
    wait = f"{retry_after:g}" if isinstance(retry_after, int | float) else retry_after
    return Reply(message, status=code, headers={} if wait is None else {"Retry-After": wait})


def redirects(where: str = "{address}{path}", *, code: int = 307) -> Reply:
    """Return an answer that sends the client on, without end to where it came from."""
    return Reply("look there", status=code, headers={"Location": where})


def hangs(after: int | None = None, text: str = TEXT) -> Reply:
    """Return an answer that hangs before its headers, or after so many pieces."""
    return Reply(text, stops="hang", after=after)


def closes(after: int | None = None, text: str = TEXT) -> Reply:
    """Return an answer that closes the line before its headers, or after so many pieces."""
    return Reply(text, stops="close", after=after)


def ends_early(after: int = 2, text: str = TEXT) -> Reply:
    """Return an answer that ends in good order after so many pieces, though not all is said."""
    return Reply(text, stops="end", after=after)


def turns_into_an_error(after: int = 2, text: str = TEXT) -> Reply:
    """Return an answer with an error in place of what comes after so many pieces; whole, an error under status 200."""
    return Reply(text, stops="error", after=after)


def wrong_length(over: int = 100, text: str = TEXT) -> Reply:
    """Return an answer that is shorter than its Content-Length."""
    return Reply(text, length_over=over)


def invalid_json(text: str = TEXT) -> Reply:
    """Return an answer whose JSON, or that of the last piece, lacks a brace."""
    return Reply(text + BREAK)


def invalid_utf8(text: str = TEXT) -> Reply:
    """Return an answer whose last piece ends in a byte that is no UTF-8."""
    return Reply(text + "\udcff")


def endless(text: str = 20 * " and so on") -> Reply:
    """Return an answer that never ends; a stream says the text again in each piece."""
    return Reply(text, endless=True, pieces=1)


def drips(seconds: float = 0.001, text: str = "Paris.") -> Reply:
    """Return an answer whose body comes byte by byte, with a pause before each."""
    return Reply(text, drip=seconds)


def huge(size: int = 64 * 1024 * 1024) -> Reply:
    """Return an answer of one piece of so many bytes, made while it is sent."""
    return Reply(FILL, fill=size)


def wrong_model(model: str = "someone-else", text: str = TEXT) -> Reply:
    """Return an answer by a model that was not asked."""
    return Reply(text, model=model)


def empty() -> Reply:
    """Return an answer without a choice, a content or a candidate."""
    return Reply(empty=True)


Fault = Callable[..., LoopbackCloud]
"""Makes a cloud that goes wrong so; texts and replies given to it come after the fault, the last of all for ever."""

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "refuses": LoopbackCloud.refusing,
        "status_400": partial(LoopbackCloud, status(400)),
        "status_401": partial(LoopbackCloud, status(401)),
        "status_403": partial(LoopbackCloud, status(403)),
        "status_404": partial(LoopbackCloud, status(404)),
        "status_429": partial(LoopbackCloud, status(429)),
        "status_429_with_seconds": partial(LoopbackCloud, status(429, retry_after=1)),
        "status_429_with_a_date": partial(LoopbackCloud, status(429, retry_after=timedelta(seconds=1))),
        "status_429_for_an_hour": partial(LoopbackCloud, status(429, retry_after=3600)),
        "status_500": partial(LoopbackCloud, status(500)),
        "status_503_then_fine": partial(LoopbackCloud, status(503), TEXT),
        "hangs_before_headers": partial(LoopbackCloud, hangs()),
        "hangs_after_headers": partial(LoopbackCloud, hangs(0)),
        "hangs_in_the_middle": partial(LoopbackCloud, hangs(2)),
        "closes_before_headers": partial(LoopbackCloud, closes()),
        "closes_in_the_middle": partial(LoopbackCloud, closes(2)),
        "ends_early": partial(LoopbackCloud, ends_early()),
        "turns_into_an_error": partial(LoopbackCloud, turns_into_an_error()),
        "wrong_length": partial(LoopbackCloud, wrong_length()),
        "invalid_json": partial(LoopbackCloud, invalid_json()),
        "invalid_utf8": partial(LoopbackCloud, invalid_utf8()),
        "endless": partial(LoopbackCloud, endless()),
        "drips": partial(LoopbackCloud, drips()),
        "huge": partial(LoopbackCloud, huge()),
        "wrong_model": partial(LoopbackCloud, wrong_model()),
        "empty": partial(LoopbackCloud, empty()),
        "redirects_to_itself": partial(LoopbackCloud, redirects()),
        "redirects_elsewhere": partial(LoopbackCloud, redirects("{elsewhere}{path}")),
        "self_signed": partial(LoopbackCloud, TEXT, door="self_signed"),
        "plain_behind_https": partial(LoopbackCloud, TEXT, door="plain"),
    }
)
"""Every fault by name: ``with FAULTS["status_500"]("Paris.") as cloud`` fails once, then answers."""
