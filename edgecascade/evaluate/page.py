"""An evaluation as one page to read: curves of quality by cost, what each policy gains, whom it asks, what to do next.

The page is self-contained: styles and charts are inside, nothing is loaded, nothing runs. No question's text is in it.
"""

from collections.abc import Mapping
from typing import Literal

from edgecascade.evaluate.charts import calls_chart, curves, gain_chart
from edgecascade.evaluate.comparing import Gain
from edgecascade.evaluate.results import Evaluation, Result, money, points
from edgecascade.page import shell
from edgecascade.page.drawing import figures
from edgecascade.page.markup import NOTHING, Cell, Html, Row, number, paragraph, percent, significant, span, table
from edgecascade.page.shell import Part

HEADS = (
    "Policy", "Quality", "95%", "Cost", "Area", "Gain on random mix", "95%", "Gain on threshold", "95%", "Fit, s",
    "Decide, µs",
)  # fmt: skip
STREAM = ("Policy", "Worth", "Late", "Cost", "Wait, s", "Answer, s")
SECONDS = ("Seconds, at once", "Seconds, in turn")
PAYS = "To pay is to beat both the random mix of single models and the threshold cascade at equal cost."
HOW = (
    "Every policy is fitted on the training part of each split and plays the rest, where it is shown of a model's "
    "answer only what that model would have shown once it has run. Figures are means over the splits.",
    "The intervals are at 95% and corrected for splits that share their questions (Nadeau and Bengio, 2003); with one "
    "split the played questions are drawn again instead. Each holds for itself: of twenty ties, one may look like a "
    "gain.",
    "Gains are at equal cost. The random mix asks one of two single models by chance, those that the training rows "
    "show to be worth their cost, mixed so that it costs what the policy costs. The threshold cascade is FrugalGPT's "
    "form, its thresholds chosen for as much as the policy costs.",
    "Area is the mean height of the curve of quality by cost between the cheapest and the dearest single model, its "
    "settings as they were played: no hull over the luckiest. The oracle knows every answer's quality beforehand; who "
    "asks one model a question cannot be above it.",
)


def page_of(found: Evaluation) -> str:
    """Return the whole page, HTML; LibraryMissingError without matplotlib."""
    return shell.page(
        f"Policies evaluated on {found.source}",
        found.sentence(),
        _verdict(found),
        [
            Part("curves", "Quality by cost", "What quality each cost buys", [figures(*curves(found))]),
            Part("gains", "Gains", "Which policies beat doing without one", _gains(found)),
            Part("table", "Every figure", "Every figure", [_figures(found)]),
            Part("calls", "Whom they ask", "Whom each policy asks", [figures(calls_chart(found)), _calls(found)]),
            *([Part("stream", "Stream", "As a stream, with a deadline", [_stream(found)])] if found.arrivals else []),
            Part("how", "How", "How this was found", [paragraph(words) for words in HOW]),
            Part("next", "Next", "What to do next", [paragraph(words) for words in advice(found)]),
        ],
        f"Seed {found.seed}, {found.splits} splits. Features of the questions: {found.features}, "
        f"{found.feature_source}. Replayed from recorded results, nobody was asked.",
    )


def _verdict(found: Evaluation) -> Html:
    notices = [f"{line[0].upper()}{line[1:]}." for line in found.notices]
    here, everywhere = _winners(found, "against"), _winners(found, "areas")
    budget = money(found.budget, found.unit)
    if here:
        others = [f"It pays too: {', '.join(one.name for one in here[1:])}."] if here[1:] else []
        above = f" {points(here[0].against['random_mix'].value)} points above the random mix, at "
        rest = f"{above}{money(here[0].cost, found.unit)}, and above the threshold cascade."
        return shell.verdict(f"{here[0].name} pays:", rest, *others, PAYS, *notices, warn=False)
    above_one = [one.name for one in found.ran if any(gain.verdict == "better" for gain in one.against.values())]
    half = [f"At {budget} a question one of the two is beaten by {', '.join(above_one)}."] if above_one else []
    if everywhere:
        above = points(everywhere[0].areas["random_mix"].value)
        rest = (
            f" the area under its curve is {above} points above the random mix's, and above the threshold cascade's. "
            f"At {budget} a question no policy is shown to beat both."
        )
        return shell.verdict(f"{everywhere[0].name} pays over all budgets:", rest, *half, PAYS, *notices, warn=False)
    rest = " none is shown to beat both the random mix and the threshold cascade."
    return shell.verdict("No policy pays on this table:", rest, *half, PAYS, *notices, warn=True)


def _winners(found: Evaluation, by: Literal["against", "areas"]) -> list[Result]:
    """Return the policies that are better than all that they were held against, the one that gains most first."""
    gains = {one.name: getattr(one, by) for one in found.ran}
    better = [one for one in found.ran if wins(gains[one.name])]
    return sorted(better, key=lambda one: -gains[one.name]["random_mix"].value)


def wins(gains: Mapping[str, Gain]) -> bool:
    """Whether there are gains, and all are shown."""
    return bool(gains) and all(gain.verdict == "better" for gain in gains.values())


def advice(found: Evaluation) -> list[str]:
    """Return what to do next, in sentences."""
    said = []
    if best := [*_winners(found, "against"), *_winners(found, "areas")]:
        name = best[0].name
        other = " --features text" if found.features == "recorded" else ""  # no new question has those
        said.append(f"Use {name} live: fit it on all rows with --policy {name} --save FILE{other}.")
    else:
        said.append("Ask one model, or the random mix: without better estimates a policy only adds work.")
    if found.features == "text":
        said.append("Estimates were made from the words alone. A sentence encoder (--encoder PATH), or a local model's "
                    "hidden state (--model SPEC, or --attempts with its answers), often tells more.")  # fmt: skip
    if found.unit == "calls":
        said.append("State what models cost, with --prices FILE or --price MODEL=USD: now every call counts the same.")
    if found.n_train < 500:
        said.append(f"{found.n_train} questions to fit on are few: the intervals shrink with more of them.")
    return said


def _gains(found: Evaluation) -> list[Html]:
    words = [paragraph(one.sentence()) for one in found.policies]
    return [figures(gain_chart(found)), *words] if any(one.against for one in found.ran) else words


def _figures(found: Evaluation) -> Html:
    rows = [Row(_line_of(one, found), "chosen" if wins(one.against) else "") for one in found.policies]
    rows += [
        Row(_line_of(one, found)) for one in found.baselines if one.name not in {two.name for two in found.policies}
    ]
    note = (
        f"At a budget of {money(found.budget, found.unit)} a question. Shaded: better than both, at equal cost. A "
        "dash: it cannot be played on this table, or the figure does not apply. The estimates that policies share "
        f"take {number(found.estimate_seconds, 1)} s more to fit."
    )
    return table(HEADS, rows, note)


def _line_of(one: Result, found: Evaluation) -> tuple[Cell, ...]:
    if one.reason:
        return (one.name, *[NOTHING] * (len(HEADS) - 1))
    low, high = one.interval or (None, None)
    return (
        one.name,
        percent(one.quality),
        span(low, high, _hundredths),
        money(one.cost, found.unit),
        number(one.auc),
        *_gain(one.against.get("random_mix")),
        *_gain(one.against.get("threshold")),
        significant(one.fit_seconds),
        number(one.decide_microseconds, 0),
    )


def _hundredths(share: float | None) -> str:
    return NOTHING if share is None else number(100 * share, 1)


def _gain(gain: Gain | None) -> tuple[Cell, Cell]:
    return (points(gain.value), span(gain.low, gain.high, points)) if gain else (NOTHING, Html(NOTHING))


def _stream(found: Evaluation) -> Html:
    rows = [
        Row((one.name, number(of.worth), percent(of.late), money(of.cost, found.unit), number(of.wait, 2),
             number(of.seconds, 2)))
        for one in found.ran if (of := one.stream)
    ]  # fmt: skip
    return table(STREAM, rows, found.arrivals.sentence() if found.arrivals else "")


def _calls(found: Evaluation) -> Html:
    timed = any(one.seconds for one in found.ran)
    heads = ("Policy", *(SECONDS if timed else ()), *found.models)
    rows = [
        Row((one.name, *([number(each, 2) for each in one.seconds or (None, None)] if timed else ()),
             *(number(one.calls.get(model), 2) for model in found.models)))
        for one in found.ran
    ]  # fmt: skip
    note = "Calls a question, the mean over the splits."
    more = " Seconds until its models have answered, those of a round asked at once, or one after another."
    return table(heads, rows, note + more if timed else note)
