"""The steps that measure the model as it answers: reading, writing, the first token, energy, and at length."""

from collections.abc import Callable, Sequence
from itertools import count
from statistics import median

from edgecascade.measure.journal import Finding
from edgecascade.measure.rig import Box, Desk, too_slow, within
from edgecascade.measure.timing import STORY, medians, never_falling, prompt_of, rising, there_and_back
from edgecascade.records import Question, Sampling

FEWEST, MOST = 8, 64
"""Tokens that are written behind each depth."""
LONG = 512
"""Tokens that are written where energy is counted, at most."""
PROMPT = 256
SHORT = ("What is the capital of France?", "Who wrote Romeo and Juliet?", "How many days are in a leap year?")
WINDOW = 15.0


def prefill(desk: Desk, box: Box) -> Finding:
    """Return the curve of reading: (tokens, seconds) from (0, 0) on."""
    writer, mode, marks = desk.writer(box), desk.rig.mode, count(1)
    found: dict[int, list[tuple[float, float]]] = {0: [(0.0, 0.0)]}
    turns = there_and_back(desk.fitting(mode.lengths), mode.rounds)
    box = box.for_at_least(sum(turns) * desk.read_s)
    for tokens in turns:
        first = len(found) == 1
        if not first and box.left < tokens * desk.read_s:
            continue
        question = prompt_of(writer, tokens, mark=next(marks))
        if one := desk.time(question, box.last if first else box.end):
            found.setdefault(tokens, []).append((float(one.read), one.read_s))
    if len(found) == 1:
        raise too_slow("reading a short prompt", mode)
    left_out = [f"{tokens} tokens ({desk.lack(tokens)})" for tokens in mode.lengths if tokens not in found]
    return {"points": rising(medians(found)), "left_out": left_out}


def decode(desk: Desk, box: Box) -> Finding:
    """Return the curve of writing: (tokens in memory, seconds a token), every signal on."""
    writer, mode, held = desk.writer(box), desk.rig.mode, 0
    found: dict[int, list[tuple[float, float]]] = {}
    turns = there_and_back(desk.fitting(mode.depths), mode.rounds)
    box = box.for_at_least(mode.rounds * max(turns) * desk.read_s + len(turns) * FEWEST * desk.write_s)
    tokens = within(box.left / len(turns) / 2 / desk.write_s, FEWEST, MOST)
    for depth in turns:
        cost = max(depth - held, 0) * desk.read_s + tokens * desk.write_s  # a beginning that is held is not read again
        if found and box.left < cost:
            continue
        question = prompt_of(writer, depth, mark=0, task=STORY, max_tokens=tokens)
        one, held = desk.time(question, box.end if found else box.last), depth
        if one and one.write_s:
            found.setdefault(depth, []).append((one.depth + one.written / 2, one.write_s))
    if not found:
        raise too_slow("writing a few tokens", mode)
    left_out = [f"depth {depth} ({desk.lack(depth)})" for depth in mode.depths if depth not in found]
    return {"points": never_falling(medians(found)), "left_out": left_out}


def first_token(desk: Desk, box: Box) -> Finding:
    """Return the time from a short question to the first token of its answer."""
    desk.writer(box)
    took = []
    for text in SHORT * desk.rig.mode.rounds:
        if box.left > 0 and (found := desk.time(Question.of(text, sampling=Sampling(max_tokens=1)), box.end)):
            took.append(found.first_s)
    return {"seconds": median(took)} if took else {"skipped": "no time left"}


def energy(desk: Desk, box: Box) -> Finding:
    """Return joules a token of writing and of reading, as the meter counts and less what the device takes at rest."""
    if desk.rig.metering is None or desk.rig.meter is None:
        return {"skipped": desk.rig.no_meter or "no power meter"}
    writer, half = desk.writer(box), box.clock() + box.left / 2
    finding: Finding = {"meter": desk.rig.meter.name, "scope": desk.rig.meter.scope}
    marks = count(1000)
    longest = max(desk.fitting((16, 64, PROMPT)), default=16)
    per_prompt = max(int(min(box.left / 4 / desk.read_s, longest)), 16)
    tokens = within(box.left / 2 / desk.write_s, FEWEST, LONG)
    reading = _joules(desk, lambda: prompt_of(writer, per_prompt, mark=next(marks)), half, box.last)
    story = prompt_of(writer, 0, mark=0, task=STORY, max_tokens=tokens)
    writing = _joules(desk, lambda: story, box.end, box.end, reading["watts"]) if "watts" in reading else reading
    return finding | {"prefill": reading, "decode": writing}


def _joules(
    desk: Desk, question: Callable[[], Question], end: float, cut: float, reading_watts: float | None = None
) -> Finding:
    """Return watts, and joules a token gross and above rest, of answers begun before ``end`` and cut off at ``cut``.

    Without the watts of reading it is reading that is measured, and the one token that each answer has is taken off;
    with them it is writing, and the reading before it is taken off.
    """
    tokens, aside, rest = 0, 0.0, desk.found.get("idle", {}).get("watts")
    assert desk.rig.metering is not None
    with desk.rig.metering() as counted:
        while desk.rig.clock() < end and (found := desk.time(question(), cut)):
            tokens += found.read if reading_watts is None else found.written
            aside += found.first_s - found.read_s if reading_watts is None else found.read_s
    if counted.joules is None or not counted.seconds:
        return {"unknown": counted.why or "the meter vanished"}
    watts_aside = reading_watts or counted.joules / counted.seconds
    joules, seconds = counted.joules - aside * watts_aside, counted.seconds - aside
    if not (tokens and joules > 0 and seconds > 0):
        return {"unknown": "no time left"}
    above = {} if rest is None else {"net_joules": max(joules - rest * seconds, 0.0) / tokens}
    return {"watts": joules / seconds, "joules": joules / tokens, **above}


def round_trip(desk: Desk, box: Box) -> Finding:
    """Return the seconds to the configured cloud and back; no token is spent."""
    found = desk.rig.round_trip(max(box.left, 0.0))
    return {"skipped": found} if isinstance(found, str) else {"seconds": found[0], "connect_s": found[1]}


def sustained(desk: Desk, box: Box) -> Finding:
    """Return the share of the first minute's speed that is left at the end of writing without a pause."""
    seconds, clock = desk.rig.mode.sustained, desk.rig.clock
    if not seconds:
        return {"skipped": "only with --full"}
    writer, begun, windows, hottest = desk.writer(box), clock(), list[tuple[float, float]](), list[float]()
    tokens = max(int(WINDOW / desk.write_s), FEWEST)
    while (now := clock()) < begun + seconds:
        question = prompt_of(writer, 0, mark=0, task=STORY, max_tokens=tokens)
        found = desk.time(question, min(now + WINDOW, begun + seconds))
        if found and found.write_s:
            windows.append((now - begun, 1 / found.write_s))
        celsius = desk.rig.conditions().celsius
        hottest += [] if celsius is None else [celsius]
    return _share_left(windows, seconds) | ({"hottest_celsius": max(hottest)} if hottest else {})


def _share_left(windows: Sequence[tuple[float, float]], seconds: float) -> Finding:
    minute = min(60.0, seconds / 2)
    begin = [speed for at, speed in windows if at < minute]
    end = [speed for at, speed in windows if at >= seconds - minute]
    if not begin or not end:
        return {"skipped": "too few answers were written"}
    return {"share": min(median(end) / median(begin), 1.0), "seconds": seconds, "tokens_per_second": windows}
