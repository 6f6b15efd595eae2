"""The steps that try settings, each in a child process: layers on a GPU, memory, threads, and what else would gain.

Threads and layers on a GPU are chosen by their speed. Behind long prompts other threads write other words, but promises
hold as often (bench/README.md, "Another form of the same model"); another backend is watched, as identity.py says. The
rest of what an identity notes - the chunk, the cache's type, flash attention - is measured and told, never adopted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from edgecascade.errors import DeviceError
from edgecascade.llama.settings import EngineSettings
from edgecascade.measure.journal import Finding, counted
from edgecascade.measure.rig import Box, Desk, too_slow, within
from edgecascade.measure.timing import there_and_back
from edgecascade.measure.trial import NO_TIME, Trial

FIRST_SHARE = 0.5
"""Of the whole time, for the first answer: a model may come slowly from a card, and nothing goes without it."""
PROMPT = 64
"""Tokens that a trial reads where reading is not what is asked."""
FEWEST, MOST = 8, 48
"""Tokens that a trial writes."""
TIE = 0.03
"""Thread counts this near to the fastest are as fast; the fewest of them are taken."""
DRIFT = 0.1
"""From which on it is said that the speed drifted while settings were compared."""
NO_COMPARING = 1 / 3
"""A drift beyond which nothing is compared."""
LENGTHS = (512, 256, 128, 64)
"""Tokens of the prompt with which settings are compared: the longest that there is time for."""


def gpu(desk: Desk, box: Box) -> Finding:
    """Return how many layers fit on a GPU, all of them at first, then half as many and so on; 0 where that is faster.

    Before all others: where not all fit, no other step could open the model.
    """
    rig = desk.rig
    if not rig.offloads:
        return {"skipped": "no GPU backend in this build"}
    layers, why = rig.layers, ""
    while layers and box.left > 0:
        seconds = box.left if why else (box.last - rig.clock()) * FIRST_SHARE
        fits = rig.trial(replace(rig.settings, gpu_layers=layers), PROMPT, FEWEST, seconds)
        if isinstance(fits, Trial) and fits.write_s:
            return _better_than_none(desk, box, layers, fits.write_s)
        why, layers = str(fits), layers // 2
        if why.startswith(NO_TIME):
            return {"skipped": f"not known how many layers fit: {why}"}
    return {"gpu_layers": 0, "why": why}


def _better_than_none(desk: Desk, box: Box, layers: int, write_s: float) -> Finding:
    """Return these layers, or none where the processor alone writes faster."""
    finding = {"gpu_layers": -1 if layers == desk.rig.layers else layers, "fit": layers, "write_s": write_s}
    plain = desk.rig.trial(replace(desk.rig.settings, gpu_layers=0), PROMPT, FEWEST, max(box.left, FEWEST * write_s))
    if not isinstance(plain, Trial) or not plain.write_s:
        return finding
    faster = {"gpu_layers": 0, "why": "no faster than the processor alone"} if plain.write_s <= write_s else {}
    return finding | {"without_s": plain.write_s} | faster


def load(desk: Desk, box: Box) -> Finding:
    """Return the time to load, first and warm, and what model and context take of memory; and the pace for the rest."""
    settings, begun = desk.chosen(), desk.rig.clock()
    first = desk.rig.trial(settings, PROMPT, FEWEST, (box.last - begun) * FIRST_SHARE)
    if isinstance(first, str):
        raise too_slow("its first answer", desk.rig.mode) if first.startswith(NO_TIME) else DeviceError(first)
    took = desk.rig.clock() - begun
    pace = _pace(first, took)
    finding = pace | {"context": first.context, "first_s": first.load_s, "bytes": first.bytes}
    short = min(512, first.context // 2)
    if box.left < took:
        return finding
    begun = desk.rig.clock()
    second = desk.rig.trial(replace(settings, context=short), PROMPT, FEWEST, box.left)
    if isinstance(second, str):
        return finding
    a_token = max(first.bytes - second.bytes, 0) / (first.context - second.context)
    model = max(second.bytes - a_token * second.context, 0)
    memory = {"model_bytes": model, "bytes_per_1k_context": a_token * 1024}
    return finding | _pace(second, desk.rig.clock() - begun) | memory | {"warm_s": second.load_s}


def _pace(trial: Trial, took: float) -> Finding:
    if not trial.write_s:
        raise DeviceError(
            f"this model cannot be timed: found {counted(trial.written, 'token')} in its story, wanted {FEWEST}; use "
            "an instruct model"
        )
    return {"read_s": trial.read_s / trial.read, "write_s": trial.write_s, "opening_s": _opening(trial, took)}


def _opening(trial: Trial, took: float) -> float:
    """Return the seconds of a trial that were neither reading nor writing."""
    return max(took - trial.read_s - (trial.write_s or 0.0) * trial.written, 0.0)


def threads(desk: Desk, box: Box) -> Finding:
    """Return the number of threads that writes fastest, and the seconds a token of each that was tried."""
    counts = thread_counts(desk.rig.cores)
    took: dict[int, list[Trial]] = {}
    turns, least = there_and_back(counts, desk.rig.mode.rounds), desk.opening_s + PROMPT * desk.read_s
    box = box.for_at_least(len(turns) * (least + FEWEST * desk.write_s))
    tokens = within((box.left / (2 * len(counts)) - least) / desk.write_s, FEWEST, MOST)
    cost, openings = least + tokens * desk.write_s, list[float]()
    for threads in turns:
        if box.left < cost:
            break
        begun = desk.rig.clock()
        found = desk.rig.trial(replace(desk.chosen(), threads=threads), PROMPT, tokens, box.left)
        cost = desk.rig.clock() - begun  # the pace so far was that of a first answer
        if isinstance(found, Trial) and found.write_s:
            took.setdefault(threads, []).append(found)
            openings.append(_opening(found, cost))
    if not took:
        return {"skipped": "no time left"}
    a_token = {threads: median(one.write_s for one in took[threads] if one.write_s) for threads in sorted(took)}
    best = fewest_of_the_fastest(a_token)
    return {
        "threads": best,
        "write_s": {str(threads): seconds for threads, seconds in a_token.items()},
        "read_s": median(one.read_s / one.read for one in took[best]),
        "opening_s": median(openings),
        "left_out": [f"{counted(threads, 'thread')} (no time)" for threads in counts if threads not in took],
    }


def thread_counts(cores: int) -> list[int]:
    """Return the counts to try, the likeliest first: 1 to all physical cores, coarser among many.

    >>> thread_counts(4), thread_counts(16)
    ([4, 3, 2, 1], [16, 12, 8, 6, 4, 3, 2, 1])
    """
    usual = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]
    return [cores, *(threads for threads in reversed(usual) if threads < cores)]


def fewest_of_the_fastest(a_token: dict[int, float]) -> int:
    """Return the fewest threads that are as fast as the fastest, but for a tie.

    >>> fewest_of_the_fastest({1: 0.2, 2: 0.101, 3: 0.1, 4: 0.11})
    2
    """
    fastest = min(a_token.values())
    return min(threads for threads, seconds in a_token.items() if seconds <= fastest * (1 + TIE))


def variants(desk: Desk, box: Box) -> Finding:
    """Return what other chunks, cache types and flash attention would gain in reading and writing; none is adopted."""
    desk.close()  # a second model in memory would slow the ones that are compared
    base = desk.chosen()
    others = dict(_others(base))
    runs = len(others) + 2
    lengths = desk.fitting(LENGTHS)
    length = next((n for n in lengths if runs * (desk.opening_s + n * desk.read_s) <= box.left), LENGTHS[-1])
    tokens = within((box.left / runs - desk.opening_s - length * desk.read_s) / desk.write_s, FEWEST, MOST)
    cost = desk.opening_s + length * desk.read_s + tokens * desk.write_s
    if box.left < 3 * cost:
        return {"skipped": "no time left"}
    before = desk.rig.trial(base, length, tokens, box.left)
    found: dict[str, Trial | str] = {}
    for name, settings in others.items():
        if settings.chunk > length:
            found[name] = f"{desk.lack(settings.chunk)} for a prompt of {settings.chunk} tokens"
        elif box.left < 2 * cost:
            found[name] = "no time left"
        else:
            found[name] = desk.rig.trial(settings, length, tokens, box.left)
    after = desk.rig.trial(base, length, tokens, box.left)
    return {"prompt_tokens": length} | _gains([trial for trial in (before, after) if isinstance(trial, Trial)], found)


def _others(base: EngineSettings) -> Iterator[tuple[str, EngineSettings]]:
    if base.kv_type != "q8_0" and base.flash_attention != "off":
        yield "kv_type q8_0", replace(base, kv_type="q8_0")
    for flash in ("on", "off"):
        if base.flash_attention != flash and (flash == "on" or base.kv_type in ("f16", "f32")):
            yield f"flash_attention {flash}", replace(base, flash_attention=flash)
    for chunk in (128, 256, 512, 64):
        if base.chunk != chunk:
            yield f"chunk {chunk}", replace(base, chunk=chunk)


def _gains(bases: Sequence[Trial], found: dict[str, Trial | str]) -> Finding:
    """Return how much faster each is than the settings as they are: 1.2 is 20 % faster."""
    speeds = [1 / trial.write_s for trial in bases if trial.write_s]
    if not speeds:
        return {"skipped": "the settings as they are could not be timed"}
    drift = max(speeds) / min(speeds) - 1
    if drift > NO_COMPARING:
        return {
            "skipped": f"the usual settings were {drift:.0%} faster once than the other time, wanted at most "
            f"{NO_COMPARING:.0%}: no gain can be told"
        }
    reading = median(trial.read / trial.read_s for trial in bases)
    writing = median(1 / trial.write_s for trial in bases if trial.write_s)
    gains = {
        name: {"reading": trial.read / trial.read_s / reading, "writing": 1 / trial.write_s / writing}
        for name, trial in found.items()
        if isinstance(trial, Trial) and trial.write_s
    }
    failed = {name: why for name, why in found.items() if isinstance(why, str)}
    remarks = [f"the speed drifted by {drift:.0%} while settings were compared"] if drift > DRIFT else []
    return {"gains": gains, "failed": failed, "remarks": remarks}
