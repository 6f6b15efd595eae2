"""The story of one answer, told from its record in the ledger: what was decided, on what numbers, and what would have
turned it.

Everything here is a pure function of the record, as ``Ledger.answer`` returns it. Texts are told where they were kept.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edgecascade.records import dollars
from edgecascade.store.ledger.budgets import NOT_SENT

Row = Mapping[str, Any]

TOLD = (
    "mean_token_probability", "min_logprob", "worst_window_logprob", "mean_margin", "first_margin", "mean_entropy",
    "max_entropy", "surprises", "end_logprob", "second_look",
)  # fmt: skip
"""The signals that a reader can make sense of; ``--json`` has them all."""

UNKNOWN = ("device_usd", "device_joules", "cost_usd", "cost_joules")
"""Numbers of a decision that are told where they are missing, too."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A risk of a fitted file's ladder, and the threshold that promises it; infinity: nothing is promised."""

    epsilon: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a story; ``probability`` of the token that it is about, 0 to 1."""

    text: str
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a story."""

    title: str
    lines: tuple[Line, ...]


def story(row: Row, ladder: Sequence[Rung] = ()) -> list[Part]:
    """Return the story of an answer from top to bottom; ``ladder`` is its fitted file's, where that is here."""
    record = row["record"]
    parts = [_part("answer", _answer(row)), _part("weighed by", _weighed(record))]
    parts.append(_part("decided", map(_decision, record["trace"])))
    for number, attempt in enumerate(record["attempts"], 1):
        parts.append(Part(f"attempt {number}: {attempt['tier']} ({attempt['place']})", tuple(_attempt(attempt))))
    told = (f"{name} {record['signals'][name]:g}" for name in TOLD if name in record["signals"])
    parts.append(_part("signals of the answer", told))
    parts.append(_part("left this device", map(_call, row["calls"]), none="nothing"))
    parts.append(_part("what would have turned it", flips(row, ladder), none="nothing that was written down"))
    return [part for part in parts if part.lines]


def _part(title: str, texts: Iterator[str] | Sequence[str], none: str | None = None) -> Part:
    lines = tuple(Line(text) for text in texts)
    return Part(title, lines or ((Line(none),) if none else ()))


def _answer(row: Row) -> Iterator[str]:
    yield f"{row['id']}, {datetime.fromtimestamp(row['at'], UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield f"question: {row['question_text'] or 'not kept, sha256 ' + row['question_sha256'][:16]}"
    if row["answer_text"]:
        yield f"text: {row['answer_text']}"
    yield f"by {row['model']} ({row['place']})"
    tokens = f"{row['prompt_tokens']} tokens read, {row['completion_tokens']} written"
    yield f"{tokens}, {row['seconds']:.2f} s, {dollars(row['usd'])}; {row['finish_reason']}"
    yield f"mode {row['mode']}"
    taken = {kind for call in row["calls"] if call["outcome"] not in NOT_SENT for kind in call["kinds"]}
    if left := [kind for kind in row["kinds"] if kind not in taken]:
        yield f"found in the question: {', '.join(left)}"
    for name in ("kept", "blocked", "queued"):
        if row[name]:
            yield name
    if row["promise"]:
        yield row["promise"]
    if row["feedback"] is not None:
        yield f"feedback: {'right' if row['feedback'] else 'wrong'}"


def _weighed(record: Row) -> Iterator[str]:
    """Yield the profile, the weights, what moved them, and each inequality in numbers."""
    if record.get("profile"):
        yield f"profile {record['profile']}"
    if weights := record.get("weights"):
        set_to = [f"{name} {value:g}" for name, value in weights.items() if value and name not in ("seconds", "usd")]
        yield f"weights: {', '.join(set_to) or 'all 0'}"
        yield from _ceilings(weights)
    elif record.get("profile"):
        yield "no weights: the certificate alone decides"
    yield from record.get("moved", ())
    yield from dict.fromkeys(filter(None, (_inequality(step["terms"]) for step in record["trace"])))


def _ceilings(weights: Row) -> Iterator[str]:
    """Yield each ceiling with the price that it became when the cascade was opened."""
    if weights.get("seconds") is not None:
        price = f"a second counts ${weights['usd_per_second']:.4g}"
        yield f"policy.seconds: 95 of 100 answers within {weights['seconds']:g} s, so {price}"
    if weights.get("usd") is not None:
        worth = weights["value_usd"]
        price = "the certificate alone keeps it" if worth is None else f"a right answer counts ${worth:.4g}"
        yield f"policy.usd: ${weights['usd']:g} an answer on average, so {price}"


def _inequality(terms: Row) -> str | None:
    """Return what was weighed in a decision, in numbers; None where nothing was."""
    if "cost_seconds" not in terms:
        return None
    if terms["cost_usd"] is None:
        return "nothing was weighed against the cloud: what it charges is unknown"
    if terms.get("gain") is not None:
        return _against_the_cloud(terms)
    return _against_the_try(terms) if terms.get("chance_kept") is not None else None


def _against_the_cloud(terms: Row) -> str:
    worth, cost = terms["gain"] * terms["value_usd"], terms["cost_usd"]
    gained = f"the cloud's gain of {terms['gain']:.4f} right answers is worth ${worth:.4g}"
    return f"{gained} {'>' if worth > cost else '<='} ${cost:.4g}, its price with {_parts(terms, 'cost')}"


def _against_the_try(terms: Row) -> str:
    gain, price = _gain_of_keeping(terms), terms["device_usd"]
    spared = terms["chance_kept"] * gain
    kept = f"{terms['chance_kept']:.2%} of the device's answers are kept, and each of them spares ${gain:.4g}"
    sign = ">=" if spared >= price else "<"
    return f"{kept}: ${spared:.4g} {sign} ${price:.4g}, the price of a try with {_parts(terms, 'device')}"


def _gain_of_keeping(terms: Row) -> float:
    """Return what a kept answer spares, in dollars: gain_of_keeping's, 0 where it would be given up."""
    quality = (terms["value_usd"] or 0.0) * (terms["p_kept"] - terms["quality"])
    gained: float = max(quality + terms["cost_usd"], 0.0)
    return gained


def _parts(terms: Row, name: str) -> str:
    """Return the seconds of a price, and its joules and megabytes where they count."""
    parts = [f"{terms[f'{name}_seconds']:.2f} s"]
    parts += [f"{terms[f'{name}_joules']:.1f} J"] if terms["usd_per_joule"] else []
    parts += [f"{terms[f'{name}_megabytes']:.3f} MB"] if terms["usd_per_megabyte"] else []
    return " and ".join(parts)


def _decision(step: Row) -> str:
    what = f"ask {', '.join((step['run'], *step.get('also', ())))}" if step["run"] else "stop"
    if step["answer"] is not None:
        what = f"attempt {step['answer'] + 1} is the answer"
    known = {name: value for name, value in step["terms"].items() if value is not None or name in UNKNOWN}
    terms = ", ".join(f"{name} {'unknown' if value is None else _number(value)}" for name, value in known.items())
    return f"{what} [{step['code']}] {step['reason']}{f' ({terms})' if terms else ''}"


def _attempt(attempt: Row) -> Iterator[Line]:
    """Yield what became of an attempt, gate by gate and token by token."""
    yield Line(
        f"{attempt['seconds']:.2f} s, {dollars(attempt['usd'])}; {attempt['finish_reason'] or 'nothing written'}"
    )
    if attempt["failure"]:
        yield Line(f"failed [{attempt['failure']['code']}] {attempt['failure']['detail']}")
    if attempt["p_correct"] is not None:
        wanted = f", kept from {attempt['threshold']:.4f}" if attempt["threshold"] is not None else ""
        yield Line(f"p_correct {attempt['p_correct']:.4f}{wanted}")
    if calibration := attempt["calibration"]:
        yield Line(f"calibration {calibration['id']} {calibration['verdict']}: {calibration['reason']}")
    for gate in attempt["gates"]:
        yield Line(_gate(gate))
    if attempt["tokens"]:
        yield Line("  ln p   margin  entropy")
    for logprob, margin, entropy, _, *text in attempt["tokens"]:
        shown = json.dumps(text[0], ensure_ascii=False) if text else ""
        yield Line(f"{logprob:6.2f}  {margin:7.2f}  {entropy:7.2f}  {shown}", math.exp(logprob))


def _gate(gate: Row) -> str:
    what = "passed" if gate["passed"] else "did not pass"
    looked = f"{gate['gate']} at {gate['at']} tokens: {gate['value']:.4f}, passes from {gate['limit']:.4f}: {what}"
    joules = "" if gate["joules_saved"] is None else f", {gate['joules_saved']:.1f} J"
    saved = f"; saved {gate['tokens_saved']:.0f} tokens, {gate['seconds_saved']:.2f} s{joules}"
    return looked + (saved if gate["tokens_saved"] or gate["seconds_saved"] else "")


def _call(call: Row) -> str:
    where = f"to {call['host']} ({call['model']}), for {call['purpose']}"
    if call["outcome"] in NOT_SENT:
        return f"{where}: tried, nothing left; {call['outcome']}"
    kinds = f", taken out: {', '.join(call['kinds'])}" if call["kinds"] else ""
    cost = f"{dollars(call['usd'])}, {call['seconds'] or 0:.2f} s"
    sent = f"{call['size']:,} bytes, sha256 {call['sha256'][:16]}"
    return f"{where}: {sent}{kinds}; {call['outcome']}; {cost}"


# What would have turned it.


def flips(row: Row, ladder: Sequence[Rung] = ()) -> list[str]:
    """Return what else would have sent the question elsewhere, one sentence each; all else as it was."""
    if row["code"] == "pool":
        return list(_ranking(row["record"]["trace"][0]))
    device = [attempt for attempt in row["record"]["attempts"] if attempt["place"] == "device"]
    gates = device[-1]["gates"] if device else []
    return [*_looks(row, gates, ladder), *_promise(row, gates), *_margin(row), *_try(row), *_cloud(row)]


def _ranking(first: Row) -> Iterator[str]:
    """Yield what another tier would have had to be worth to be asked in the place of the first."""
    told = {name.removeprefix("worth_"): value for name, value in first["terms"].items() if name.startswith("worth_")}
    worth = {tier: value for tier, value in told.items() if value is not None}
    asked, run = {first["run"], *first.get("also", ())}, first["run"]
    left = {tier: value for tier, value in worth.items() if tier not in asked}
    if left and run in worth and worth[run] >= max(left.values()):
        next_best = max(left, key=lambda tier: left[tier])
        yield f"a worth above {worth[run]:.4g} for {next_best} would have asked it first"


def _looks(row: Row, gates: Sequence[Row], ladder: Sequence[Rung]) -> Iterator[str]:
    """Yield at which limits the gates, the threshold among them, would have said the contrary."""
    failed = [gate for gate in gates if not gate["passed"]]
    if not failed:
        for gate in gates:
            yield from _kept_by(gate, ladder)
    elif [gate["gate"] for gate in failed] == ["G2"]:
        p, threshold = row["p_correct"], failed[0]["limit"]
        yield f"p_correct of {_up(threshold)} or more would have kept it"
        lower = [rung for rung in ladder if rung.threshold <= p]
        yield f"a threshold of {_down(p)} or less would have kept it{_rung(lower[:1], ladder)}"
    else:
        judged = any(gate["gate"] == "G2" for gate in gates)
        after = "kept it" if judged else "let it go on; how it would have ended is not known"
        yield f"{' and '.join(map(_letting_pass, failed))} would have {after}"


def _kept_by(gate: Row, ladder: Sequence[Rung]) -> Iterator[str]:
    """Yield where a gate that let the answer pass would not have."""
    value = gate["value"]
    if gate["gate"] != "G2":
        yield f"a limit above {_up(value)} at gate {gate['gate']} would not have let it pass"
        return
    yield f"p_correct below {_down(gate['limit'])} would not have kept it"
    higher = [rung for rung in ladder if value < rung.threshold < math.inf]
    yield f"a threshold above {_up(value)} would not have kept it{_rung(higher[-1:], ladder)}"


def _letting_pass(gate: Row) -> str:
    if gate["gate"] == "G2":
        return f"p_correct of {_up(gate['limit'])} or more (a threshold of {_down(gate['value'])} or less)"
    return f"a limit of {_down(gate['value'])} or less at gate {gate['gate']}"


def _rung(found: Sequence[Rung], ladder: Sequence[Rung]) -> str:
    """Return which risk of the ladder has such a threshold; nothing is known without a ladder."""
    if not ladder:
        return ""
    if not found:
        return " (no epsilon of the file's ladder has one)"
    return f" (epsilon {found[0].epsilon:g} of the file's ladder has {found[0].threshold:.4f})"


def _promise(row: Row, gates: Sequence[Row]) -> Iterator[str]:
    """Yield what a promise would have needed, where none could be made."""
    unjudged = row["threshold"] is None and not gates
    if row["calibration"] and unjudged and row["calibration_verdict"]:
        judged = [attempt["calibration"] for attempt in row["record"]["attempts"] if attempt["calibration"]]
        yield f"a calibration that promises something here: {judged[-1]['reason']}"
    elif unjudged and row["code"] in ("no_promise", "no_cloud"):
        yield "a calibration: edgecascade calibrate"


def _margin(row: Row) -> Iterator[str]:
    """Yield from where an answer is kept, and the worth of a right one at which the cloud's gain pays for it."""
    weighed = [step for step in row["record"]["trace"] if step["terms"].get("gain") is not None]
    for terms, run in ((step["terms"], step["run"]) for step in weighed[:1]):
        if (wanted := terms.get("kept_from") or 0.0) > terms["threshold"]:
            yield f"kept from p {wanted:.4f} at these weights; {terms['threshold']:.4f} is the certificate's"
        if terms["gain"] > 0 and terms["cost_usd"] is not None:
            at = f"${terms['cost_usd'] / terms['gain']:.6g}"
            turned = "below {} would have kept the device's answer" if run else "above {} would have asked the cloud"
            yield f"a value_usd {turned.format(at)}"


def _try(row: Row) -> Iterator[str]:
    """Yield the price of an answer of the device, or the chance, at which it is just worth its try."""
    weighed = [step for step in row["record"]["trace"] if step["terms"].get("chance_kept") is not None]
    for terms, code in ((step["terms"], step["code"]) for step in weighed[:1]):
        if terms["cost_usd"] is None:
            continue
        gain, price = _gain_of_keeping(terms), terms["device_usd"]
        at = f"${terms['chance_kept'] * gain:.6g}"
        if code != "not_worth":
            if price:
                yield f"a device whose try costs above {at} would not have been tried"
            continue
        if not terms["chance_kept"]:
            wanted = f"at these weights from p {terms['kept_from']:.4f}" if terms["kept_from"] else "of such a question"
            yield f"a calibration with answers that are kept: {wanted}"
            continue
        yield f"a device whose try costs below {at} would have been tried"
        if gain and price <= gain:
            yield f"a chance of {_up(price / gain)} or more that it is kept would have tried the device"


OTHERWISE = {
    "no_cloud": "a cloud: --cloud openai:MODEL, or edgecascade config init",
    "offline": "a network that reaches the cloud, and no setting to be offline",
    "breaker": "a cloud that did not fail just before",
    "deadline": "more time",
    "cloud_failed": "a cloud that answers",
    "broken_off": "a cloud whose answer does not break off",
    "device_failed": "a device that answers",
}


def _cloud(row: Row) -> Iterator[str]:
    """Yield what stood between the question and another place."""
    code = row["code"]
    if code == "budget":
        yield f"budget: {_more(row['reason'])}"
    elif code == "blocked":
        kinds = ", ".join(row["kinds"])
        yield f"privacy: {f'rules that let {kinds} leave as a placeholder' if kinds else 'a rule that lets it leave'}"
    elif code == "mode" and row["mode"] in ("only_on_device", "only_in_cloud", "prefer_in_cloud"):
        other = "the device" if row["place"] == "cloud" else "the cloud, if its own is not kept"
        yield f"mode prefer_on_device would have asked {other}"
    elif code in OTHERWISE:
        yield OTHERWISE[code]


def _more(reason: str) -> str:
    """Return how much more a budget would have had to be, by the numbers of its refusal."""
    cap = re.search(
        r"budget of ([\d.e+-]+) (usd|calls) .*found \$?([\d.]+) spent or reserved, wanted \$?([\d.]+) more", reason
    )
    limit = re.search(r"may cost \$([\d.]+), and the question's own limit is \$([\d.e+-]+)", reason)
    if cap:
        short = float(cap[3]) + float(cap[4]) - float(cap[1])
    elif limit:
        short = float(limit[1]) - float(limit[2])
    else:
        return "a larger one, or a known price"
    if cap and cap[2] == "calls":
        return f"{short:g} more call{'' if short == 1 else 's'}"
    return f"${math.ceil(short * 1e6) / 1e6:.6f} more"


def _down(value: float) -> str:
    return f"{math.floor(value * 1e4) / 1e4:.4f}"


def _up(value: float) -> str:
    return f"{math.ceil(value * 1e4) / 1e4:.4f}"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
