"""The page's tables and lists, from the findings."""

from collections.abc import Mapping
from typing import Any

from edgecascade.calibrate.report.findings import Findings, Task, mean
from edgecascade.calibrate.report.words import BASELINES, GLOSSARY, HEADS, METRICS
from edgecascade.guarantees.binomial import interval
from edgecascade.guarantees.certificate import Certificate
from edgecascade.page.markup import (
    NOTHING,
    Cell,
    Html,
    Row,
    between,
    breakable,
    count,
    number,
    pairs,
    percent,
    span,
    table,
    text,
)


def numbers(found: Findings) -> Html:
    """Return the few numbers that matter most."""
    file, certificate = found.file, found.certificate
    kept, n = int(found.kept.sum()), len(found.y)
    cards: dict[str, tuple[str, Cell, bool]] = {}

    def card(name: str, value: str, more: Cell = "", *, word: bool = False) -> None:
        cards[name] = (value, more, word)

    behind = next((one for one in found.behind if one.epsilon == file.epsilon), None)
    gated = f"{percent(behind.share_kept)} behind the gates" if behind and behind.feasible else ""
    card("Share kept", percent(certificate.share_kept), gated or f"{count(kept)} of {count(n)}")
    if certificate.feasible:
        card("Threshold", percent(certificate.threshold), "kept where p is at least this")
    else:
        card("Threshold", NOTHING, "nothing is kept")
    card("Device is right", percent(mean(found.y)), span(*interval(int(found.y.sum()), n, 0.05), percent))
    if found.cloud is not None:
        card("Cloud is right", percent(mean(found.cloud)), file.cloud or "")
    if kept:
        right = int(found.y[found.kept].sum())
        card("Kept answers are right", percent(right / kept), span(*interval(right, kept, 0.05), percent))
    fitted_on, certified_on = file.provenance.get("fitted_on"), file.provenance.get("certified_on", n)
    card("Questions", count(certified_on), f"certify; {count(fitted_on)} others fit")
    card("Model", file.identity.model, file.identity.quantisation, word=True)
    card("Fitted", file.created, f"id {file.id}", word=True)
    inside = "".join(
        f'<div><dt>{text(name)}</dt><dd class="{"word" if word else "figure"}">{text(value)}'
        f"<small>{text(more)}</small></dd></div>"
        for name, (value, more, word) in cards.items()
    )
    return Html(f'<dl class="numbers">{inside}</dl>')


def identity(found: Findings) -> Html:
    """Return what the promise is bound to, folded."""
    file = found.file
    shown: dict[str, Cell] = {
        name.replace("_", " "): _plain(value) for name, value in file.identity.as_json().items()
    } | {
        "system message": file.system or NOTHING,
        "cloud": file.cloud or NOTHING,
        "head": f"{file.head.name} ({file.head.kind}), signals: {len(file.head.signals)}"
        + (f", hidden states: {' and '.join(file.head.hidden)}" if file.head.hidden else ""),
        "calibrator": str(file.calibrator.get("kind", NOTHING)),
        "test": found.certificate.method,
    }
    shown |= {name.replace("_", " "): _plain(value) for name, value in file.provenance.items()}
    return Html(f"<details>\n<summary>What exactly was fitted, and on what</summary>\n{pairs(shown)}\n</details>")


def quality(found: Findings) -> Html:
    """Return how good p is, with intervals."""
    metrics = found.file.metrics
    rows = [Row((name, between(metrics[key]), how)) for key, (name, how) in METRICS.items() if key in metrics]
    return table(
        ("Measure", "Value, 95 % interval", "How to read it"),
        rows,
        "On questions that the estimate was not fitted on.",
        words=(2,),
    )


def separation(found: Findings) -> Html:
    """Return how far apart p holds right and wrong answers, in a few numbers."""
    right, wrong = found.y == 1, found.y == 0
    shown: dict[str, Cell] = {
        "Right answers": f"{count(int(right.sum()))}, mean p {percent(mean(found.p[right]))}",
        "Wrong answers": f"{count(int(wrong.sum()))}, mean p {percent(mean(found.p[wrong]))}",
    }
    if found.certificate.feasible:
        shown["Right answers sent away"] = percent(mean(1.0 - found.kept[right]))
        shown["Wrong answers kept"] = percent(mean(1.0 * found.kept[wrong]))
    return pairs(shown)


def ladder(found: Findings) -> Html:
    """Return what could be promised at each risk, before and behind the gates."""
    behind = {certificate.epsilon: certificate for certificate in found.behind}
    heads = [
        "At most",
        "Kept",
        "Threshold",
        "Seen",
        "Upper bound",
        *(["Kept behind gates"] if behind else []),
        "Remark",
    ]
    rows = []
    for certificate in found.ladder:
        own = certificate.epsilon == found.file.epsilon
        cells: list[Cell] = [percent(certificate.epsilon), *_certified(certificate, found)]
        if behind:
            gated = behind.get(certificate.epsilon)
            cells.append(percent(gated.share_kept) if gated and gated.feasible else NOTHING)
        remark = _remark(certificate)
        cells.append("; ".join(part for part in ("asked for" if own else "", remark) if part))
        rows.append(Row(cells, "chosen" if own else ""))
    return table(
        heads,
        rows,
        "Each line is a promise of its own: they do not all hold at once with the stated confidence, so the risk must "
        "be chosen before looking. Seen is the risk on these questions; the upper bound is what they cannot rule out.",
        words=(len(heads) - 1,),
    )


def tasks(found: Findings) -> Html:
    """Return how each task fares."""
    cloud, chosen = found.cloud is not None, found.file.promise
    risk = {"regret": "Cost", "agreement": "Differs, of kept"}.get(chosen, "")
    heads = ["Task", "Questions", "Device right", *(["Cloud right"] if cloud else []), "Mean p", "Kept",
             "Wrong, of kept", *([risk] if risk else []), "AUROC"]  # fmt: skip
    rows = [Row(_task(task, cloud=cloud, risk=bool(risk)), "marked" if task.above else "") for task in found.tasks()]
    marked = any(task.above for task in found.tasks())
    return table(
        heads,
        rows,
        ("▲ marks tasks whose own risk is surely above the promise (95 % for all tasks together). " if marked else "")
        + "AUROC is left out for tasks of under ten questions, or with right or wrong answers only.",
    )


def gates(found: Findings) -> Html:
    """Return what each gate does."""
    rows = [
        Row(
            (
                "right after the prompt" if gate.at == 1 else f"after {gate.at} tokens",
                percent(gate.stops),
                percent(gate.tokens_saved),
                Html(f"{percent(gate.false_alarms[0])} {span(*gate.false_alarms[1:], percent)}"),
            )
        )
        for gate in found.file.gates
    ]
    return table(
        ("Gate", "Answers stopped", "Tokens saved", "False alarms, 95 % interval"),
        rows,
        "Each gate sees only what the earlier ones let pass. Stopped answers and saved tokens are shares of all; false "
        "alarms are a share of the answers that would have been kept.",
    )


def heads(found: Findings) -> Html:
    """Return which heads were tried, and why one was chosen."""
    selection = found.file.selection
    chosen = selection.get("head")
    rows = [
        Row(
            (
                Html(f'{breakable(trial["name"])}<br><span class="range">{text(HEADS.get(trial["name"], ""))}</span>'),
                between(trial["in_domain"]),
                between(trial["out_of_domain"]),
                between(trial["gain_in"], _signed),
                between(trial["gain_out"], _signed),
                _fate(trial, chosen),
            ),
            "chosen" if trial["name"] == chosen else "",
        )
        for trial in selection.get("heads", ())
    ]
    return table(
        ("Head", "AUROC, known tasks", "AUROC, new tasks", "Gain, known tasks", "Gain, new tasks", "Verdict"),
        rows,
        "AUROC within tasks, with 95 % intervals, by cross-validation on the fitting questions. On new tasks the head "
        "never saw the task. Gains are over the plain head; a richer head must gain on both.",
        words=(5,),
    )


def calibrators(found: Findings) -> Html:
    """Return how the calibrators compare."""
    selection = found.file.selection
    losses = selection.get("calibrator_log_loss", {})
    chosen = selection.get("calibrator")
    rows = [
        Row((name.replace("_", " "), number(loss, 4), "chosen" if name == chosen else ""), "chosen" * (name == chosen))
        for name, loss in sorted(losses.items(), key=lambda item: item[1])
    ]
    return table(
        ("Calibrator", "Log-loss (nats)", "Verdict"),
        rows,
        "Cross-validated on the fitting questions; smaller is better.",
        words=(2,),
    )


def baselines(found: Findings) -> Html:
    """Return the fitted estimate beside what needs no fitting."""
    metrics = found.file.metrics
    ours = metrics.get("auroc_within_tasks")
    known = {BASELINES.get(name, name): record for name, record in metrics.get("baselines", {}).items()}
    names = sorted(known, key=lambda name: -_value(known[name]))
    above = [name for name in names if _value(known[name]) > _value(ours)]
    rows = [Row(("this calibration", between(ours)), "chosen")]
    rows += [Row((name, between(known[name]))) for name in names]
    return table(
        ("Estimate", "AUROC within tasks, 95 % interval"),
        rows,
        "On the certificate's questions; it is about ranking only, a baseline is no probability. "
        + (f"Here {', '.join(above)} ranked better than this calibration." if above else ""),
    )


def glossary() -> Html:
    """Return the words of the page, explained."""
    inside = "".join(f"<div><dt>{text(word)}</dt><dd>{text(meaning)}</dd></div>" for word, meaning in GLOSSARY.items())
    return Html(f'<dl class="glossary">{inside}</dl>')


def _certified(certificate: Certificate, found: Findings) -> tuple[Cell, ...]:
    if not certificate.feasible:
        return ("nothing", NOTHING, NOTHING, NOTHING)
    seen = certificate.losses / (certificate.n if found.over_all else max(certificate.kept, 1))
    return (
        percent(certificate.share_kept),
        percent(certificate.threshold),
        percent(seen),
        percent(certificate.bound),
    )


def _remark(certificate: Certificate) -> str:
    if certificate.feasible:
        return ""
    needed = f"; about {count(certificate.needed)} would be needed" if certificate.needed else ""
    return certificate.reason + needed


def _task(task: Task, *, cloud: bool, risk: bool) -> list[Cell]:
    mark = Html(' <span class="mark">▲<span hidden> above the promise</span></span>') if task.above else Html("")
    cells: list[Cell] = [Html(f"{breakable(task.name)}{mark}"), count(task.n), percent(task.accuracy)]
    cells += [percent(task.cloud)] if cloud else []
    cells += [percent(task.mean_p), percent(task.kept), percent(task.wrong_kept)]
    cells += [percent(task.risk)] if risk else []
    return [*cells, number(task.auroc, 2)]


def _fate(trial: Mapping[str, Any], chosen: object) -> str:
    if trial["name"] == chosen:
        return "chosen"
    if trial["kept"]:
        return "earned its place, another is used"
    lacks = [where for key, where in (("gain_in", "known"), ("gain_out", "new")) if not _value(trial[key], "low") > 0]
    return f"no sure gain on {' and '.join(lacks)} tasks"


def _value(record: Mapping[str, Any] | None, name: str = "value") -> float:
    found = None if record is None else record.get(name)
    return -1.0 if found is None else float(found)


def _signed(value: float) -> str:
    return ("+" if value >= 0 else "") + number(value)


def _plain(value: object) -> str:
    """Return a stored value in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items()) or NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NOTHING if value is None or value == "" else f"{value:g}" if isinstance(value, float) else str(value)
