"""Every fault of a cloud, asked and streamed, hedged or not: what the user gets, and that nothing is left."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.setup import Options
from edgecascade.cascade.tiers import RemoteTier
from edgecascade.cloud.client import CloudClient, CloudPool, Retries, Timeouts
from edgecascade.cloud.specs import cloud_spec
from edgecascade.errors import NoAnswerError
from edgecascade.records import (
    Answer,
    Code,
    Delta,
    Done,
    Event,
    Handoff,
    Limits,
    Message,
    Mode,
    Question,
    Sampling,
)  # fmt: skip
from edgecascade.store.ledger import Cap, Ledger
from edgecascade.store.prices import Price
from edgecascade.testing import FAULTS, LoopbackCloud, ScriptedReply, ScriptedTier, fault

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
TEXT = fault.TEXT
SAMPLE = (
    "status_429_with_seconds",
    "status_500",
    "hangs_after_headers",
    "closes_in_the_middle",
    "invalid_json",
    "huge",
)
"""The faults that are tried on the other wires too."""

SHORT = Timeouts(connect=5.0, first_byte=0.2, between=0.2)
LONG = Timeouts(connect=60.0, first_byte=60.0, between=60.0)
"""Time-outs that end what hangs, and those that end nothing in a test."""

DEADLINE = 0.5
MARGIN = 20.0
"""Seconds: far above what any answer needs, and far below ``LONG``."""

PRICE = Price(input=1.0, output=10.0)
USD = 0.01
CAPS = (Cap("request", "calls", 5), Cap("day", "usd", USD), Cap("day", "calls", 6))


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of a question.

    calls   how each is booked, in order       code    of the answer where there is a device
    said    the answer where there is a device alone   the same where there is none; None: ``NoAnswerError``
    within  seconds that the question allows   timeouts  of the cloud
    """

    calls: tuple[str, ...]
    code: Code
    said: str = "local"
    alone: str | None = None
    within: float | None = None
    timeouts: Timeouts = LONG

    @property
    def reached(self) -> int:
        """How many of its calls reached the server."""
        return sum(call != "offline" for call in self.calls)


BROKEN = Row(("broken_off", "broken_off"), "broken_off", alone="The capital")
TURNED_AWAY = Row(("protocol",), "cloud_failed")
ANSWERED = Row(("ok",), "not_kept", TEXT, TEXT)
LIMITED = Row(("rate_limit", "rate_limit"), "cloud_failed")
SILENT = Row(("timeout",), "offline", timeouts=SHORT)
LATE = Row(("deadline",), "deadline", within=DEADLINE)

TABLE: dict[str, Row] = {
    "refuses": Row(("offline", "offline"), "offline"),
    "status_400": Row(("refused",), "cloud_failed"),
    "status_401": Row(("key",), "cloud_failed"),
    "status_403": Row(("key",), "cloud_failed"),
    "status_404": Row(("refused",), "cloud_failed"),
    "status_429": LIMITED,
    "status_429_with_seconds": LIMITED,
    "status_429_with_a_date": LIMITED,
    "status_429_for_an_hour": Row(("rate_limit",), "cloud_failed"),
    "status_500": Row(("server", "server"), "cloud_failed"),
    "status_503_then_fine": Row(("server", "ok"), "not_kept", TEXT, TEXT),
    "hangs_before_headers": SILENT,
    "hangs_after_headers": SILENT,
    "hangs_in_the_middle": Row(("timeout",), "offline", alone="The capital", timeouts=SHORT),
    "closes_before_headers": Row(4 * ("broken_off",), "broken_off"),
    "closes_in_the_middle": BROKEN,
    "ends_early": BROKEN,
    "turns_into_an_error": BROKEN,
    "wrong_length": ANSWERED,
    "invalid_json": Row(("protocol",), "cloud_failed", alone="The capital of France is"),
    "invalid_utf8": Row(("protocol",), "cloud_failed", alone="The capital of France is"),
    "endless": Row(("protocol",), "cloud_failed", alone="and so on and so on"),
    "drips": Row(("ok",), "not_kept", "Paris.", "Paris."),
    "huge": TURNED_AWAY,
    "wrong_model": ANSWERED,
    "empty": TURNED_AWAY,
    "redirects_to_itself": TURNED_AWAY,
    "redirects_elsewhere": TURNED_AWAY,
    "self_signed": Row(("offline",), "offline"),
    "plain_behind_https": Row(("offline",), "offline"),
}
BOUNDED: dict[str, tuple[Callable[..., LoopbackCloud], Row]] = {
    "hangs_before_headers": (FAULTS["hangs_before_headers"], LATE),
    "hangs_after_headers": (FAULTS["hangs_after_headers"], LATE),
    "hangs_in_the_middle": (
        FAULTS["hangs_in_the_middle"],
        Row(("deadline",), "deadline", alone="The capital", within=DEADLINE),
    ),
    "drips": (partial(LoopbackCloud, fault.drips(0.05)), LATE),
}
"""With time-outs of a minute and half a second for the answer; the last one needs half a minute."""


@dataclass(slots=True)
class Left:
    """What was there after the cascade was closed."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    spent: float = 0.0
    open_calls: int = 0


Drain = Callable[[Cascade, Question], Answer]


def asked(cascade: Cascade, question: Question) -> Answer:
    """Return the answer as an app gets it in one piece."""
    return cascade.ask(question)


def streamed(cascade: Cascade, question: Question) -> Answer:
    """Return the answer, and hold what a screen shows against it at each event."""
    *before, last = cascade.stream(question)

    assert isinstance(last, Done)
    assert shown(before) == last.answer.text
    return last.answer


def shown(events: list[Event]) -> str:
    """Return what stands on a screen after these events; what is taken away was there."""
    text = ""
    for event in events:
        if isinstance(event, Handoff):
            assert text.endswith(event.replaces)
            text = text.removesuffix(event.replaces)
        elif isinstance(event, Delta):
            text += event.text
    return text


def a_question(row: Row, mode: Mode) -> Question:
    """Return the question of a row."""
    return Question(
        (Message("user", "What is the capital of France?"),),
        Sampling(max_tokens=50),
        mode=mode,
        limits=Limits(seconds=row.within),
    )


@contextmanager
def cascade_on(cloud: LoopbackCloud, row: Row, path: Path, wire: str, hedge: float) -> Iterator[tuple[Cascade, Left]]:
    """Open a cascade of an unsure device and a cloud; at the end, look at what it left."""
    environment = cloud.environment | {"ANTHROPIC_API_KEY": "key", "GEMINI_API_KEY": "key"}
    pool = CloudPool(timeouts=row.timeouts, retries=Retries(tries=2, pace=lambda seconds: 0.0))
    tier = RemoteTier(CloudClient(cloud_spec(cloud.spec(wire), environment), pool), PRICE, pool)
    device = ScriptedTier(ScriptedReply("local", p_correct=0.2, threshold=0.6), name="small")
    left, options = Left(), Options(hedge_below=hedge, caps=CAPS, show="draft")
    with Cascade([device, tier], options=options, ledger=Ledger(path, clock=time.time)) as cascade:
        yield cascade, left
    with Ledger(path, clock=time.time) as ledger:
        left.rows, left.calls = ledger.tail(10), exported(ledger)
        day = next(window for window in ledger.summary().spent if window.per == "day")
        left.spent, left.open_calls = day.usd, day.calls - sum(call["outcome"] != "offline" for call in left.calls)


def exported(ledger: Ledger) -> list[dict[str, Any]]:
    """Return every call of a ledger."""
    out = BytesIO()
    ledger.export("jsonl", out, table="calls")
    return [json.loads(line) for line in out.getvalue().splitlines()]


def check(row: Row, cloud: LoopbackCloud, left: Left) -> None:
    """Hold what is left against the row: each call booked, none lost, none open, nothing above the budget."""
    assert tuple(call["outcome"] for call in left.calls) == row.calls
    assert len(cloud.requests) == row.reached
    assert len(left.rows) == 1 and {call["answer_id"] for call in left.calls} == {left.rows[0]["id"]}
    assert left.open_calls == 0 and left.spent <= USD
    assert cloud.wait_closed(MARGIN) and cloud.open_connections == 0


def with_a_device(
    make: Callable[..., LoopbackCloud], row: Row, path: Path, drain: Drain, hedge: float, wire: str = "openai"
) -> None:
    """Ask a cascade with a device, and check the answer and what is left."""
    before, started = threading.enumerate(), time.monotonic()
    with make() as cloud:
        server = threading.enumerate()
        with cascade_on(cloud, row, path, wire, hedge) as (cascade, left):
            answer = drain(cascade, a_question(row, "prefer_on_device"))
        assert set(threading.enumerate()) <= set(server) or cloud.wait_closed(MARGIN)
        check(row, cloud, left)

    assert (answer.text, answer.code) == (row.said, row.code)
    assert answer.tier == ("local" if row.said == "local" else "cloud")
    assert time.monotonic() - started < (row.within or 0.0) + MARGIN
    assert threading.enumerate() == before
    assert answer.usd == pytest.approx(sum(call["usd"] for call in left.calls))
    assert all(call["purpose"] == "hedge" for call in left.calls[:1]) == bool(hedge)


def test_the_table_is_whole() -> None:
    """Each fault has a stated outcome."""
    assert set(TABLE) == set(FAULTS)


@pytest.mark.parametrize("hedge", [0.0, 1.0], ids=["alone", "hedged"])
@pytest.mark.parametrize("drain", [asked, streamed], ids=["ask", "stream"])
@pytest.mark.parametrize("name", TABLE)
def test_a_fault_has_the_stated_outcome(tmp_path: Path, name: str, drain: Drain, hedge: float) -> None:
    """The device answers where the cloud cannot, the ledger has every call, and nothing is left running or open."""
    with_a_device(FAULTS[name], TABLE[name], tmp_path / "ledger.db", drain, hedge)


@pytest.mark.parametrize("hedge", [0.0, 1.0], ids=["alone", "hedged"])
@pytest.mark.parametrize("drain", [asked, streamed], ids=["ask", "stream"])
@pytest.mark.parametrize("name", BOUNDED)
def test_a_deadline_ends_what_hangs(tmp_path: Path, name: str, drain: Drain, hedge: float) -> None:
    """However long the time-outs are, the answer is there when its time is over, and says so."""
    make, row = BOUNDED[name]
    with_a_device(make, row, tmp_path / "ledger.db", drain, hedge)


@pytest.mark.parametrize("wire", ["anthropic", "gemini"])
@pytest.mark.parametrize("name", SAMPLE)
def test_the_wire_makes_no_difference(tmp_path: Path, name: str, wire: str) -> None:
    """The outcomes hold for every provider's format."""
    with_a_device(FAULTS[name], TABLE[name], tmp_path / "ledger.db", streamed, 0.0, wire)


ALONE = [(name, FAULTS[name], row) for name, row in TABLE.items()]
ALONE += [(f"{name} until the deadline", make, row) for name, (make, row) in BOUNDED.items()]


@pytest.mark.parametrize(("make", "row"), [rest for _, *rest in ALONE], ids=[name for name, *_ in ALONE])
def test_a_cloud_alone(tmp_path: Path, make: Callable[..., LoopbackCloud], row: Row) -> None:
    """Without a device the part that came is the answer, marked; an error where nothing came; and a row either way."""
    text: str | None = None
    with make() as cloud:
        with cascade_on(cloud, row, tmp_path / "ledger.db", "openai", 0.0) as (cascade, left):
            try:
                text = streamed(cascade, a_question(row, "only_in_cloud")).text
            except NoAnswerError:
                assert row.alone is None
        check(row, cloud, left)

    assert (text is None) == (row.alone is None)
    assert (text or "").startswith(row.alone or "")
    whole = row.said != "local"
    assert left.rows[0]["finish_reason"] == ("end" if whole else "cancelled")


def markdown() -> str:
    """Return the table as the documentation shows it."""
    lines = ["| Fault | Booked as | With a device | Code | A cloud alone |", "| --- | --- | --- | --- | --- |"]
    lines += [line(name, row) for name, row in TABLE.items()]
    lines += [line(f"{name}` until the deadline, `deadline", row) for name, (_, row) in BOUNDED.items()]
    return "\n".join(lines)


def line(name: str, row: Row) -> str:
    """Return one row of that."""
    whole = row.said != "local"
    device = "the cloud's answer" if whole else "the device's answer"
    alone = "no answer" if row.alone is None else "the cloud's answer" if whole else "the part that came"
    first, _, rest = name.partition("` until the deadline")
    shown_name = f"`{first}`" + (" until the deadline" if rest else "")
    calls = ", ".join(f"`{call}`" for call in row.calls)
    return f"| {shown_name} | {calls} | {device} | `{row.code}` | {alone} |"


def test_the_page_states_the_same() -> None:
    """The documentation's table is this one."""
    assert markdown() in PAGE.read_text(encoding="utf-8")
