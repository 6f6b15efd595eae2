"""A fitted file as one page to read: what is promised, how good the estimate is, and how it was chosen.

The page is self-contained: styles and charts are inside, nothing is loaded, nothing runs. No question's text is in it.

    findings  the file as columns          charts, drawing  figures, by matplotlib, as inline SVG
    tables    the file as tables           markup, words    pieces of HTML, and what things are called
"""

from pathlib import Path
from string import Template

from edgecascade.calibrate.report import charts, tables
from edgecascade.calibrate.report.findings import Findings
from edgecascade.page.drawing import Chart, figure
from edgecascade.page.markup import Html, count, joined, paragraph, percent, section, text
from edgecascade.store.fitted_files import FittedFile

PAGE = Path(__file__).with_name("page.html")
WARNING = "DO NOT CASCADE"
"""How an advice against the cascade begins."""

MIXTURE = (
    "The promise holds over the whole mixture of questions together, not for each task by itself: a task below may do "
    "worse, and others make up for it. Who asks mostly such questions should calibrate on them."
)


def report_of(file: FittedFile) -> str:
    """Return the whole page, HTML.

    Raises LibraryMissingError without matplotlib, FittedFileError for a file without its own certificate.
    """
    found = Findings.of(file)
    parts = _sections(found)
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=text(f"Calibration of {file.identity.model}"),
        sentence=text(found.certificate.sentence(file.created)),
        verdict=_verdict(found),
        contents=joined(Html(f'<a href="#{name}">{text(short)}</a>') for name, short, _, _ in parts),
        sections=joined(section(name, title, *inside) for name, _, title, inside in parts),
        footer=text(f"Fitted file {file.id}, fitted {file.created}, by edgecascade {_version(file)}."),
    )


def _sections(found: Findings) -> list[tuple[str, str, str, list[Html]]]:
    """Return the parts of the page: name, short title, title, content."""
    cost = [charts.promised_risk_chart(found)]
    cost += [charts.selective_risk_chart(found)] if found.file.promise != "selective" else []
    cost += [charts.deferral_chart(found, found.cloud)] if found.cloud is not None else []
    return [
        ("numbers", "Numbers", "In a few numbers", [tables.numbers(found), tables.identity(found)]),
        (
            "truth",
            "Is p true?",
            "Is the estimate true?",
            [_beside(charts.reliability_chart(found), tables.quality(found))],
        ),
        ("cost", "What it costs", "What keeping answers costs", [_charts(*cost)]),
        ("ladder", "Promises", "What else could be promised", [tables.ladder(found)]),
        ("tasks", "Tasks", "Task by task", [paragraph(MIXTURE), tables.tasks(found)]),
        (
            "scores",
            "Right and wrong",
            "How p tells right from wrong",
            [_beside(charts.outcomes_chart(found), tables.separation(found))],
        ),
        ("gates", "Early stop", "Stopping early", _gates(found)),
        (
            "choice",
            "How it was chosen",
            "How the estimate was chosen",
            [tables.heads(found), tables.calibrators(found), tables.baselines(found)],
        ),
        ("glossary", "Glossary", "Glossary", [tables.glossary()]),
    ]


def _verdict(found: Findings) -> Html:
    """Return what to do, calm where it is good news and clear where it is not."""
    advice = found.file.advice
    warn = advice.startswith(WARNING) or not found.certificate.feasible
    lead, rest = (WARNING, advice.removeprefix(WARNING)) if advice.startswith(WARNING) else ("", advice)
    lines = [f"<p><strong>{text(lead or ('Certified.' if not warn else 'Infeasible.'))}</strong>{'' if lead else ' '}"]
    lines[0] += f"{text(rest)}</p>"
    lines += [f"<p>{text(_instead(found))}</p>"] if not found.certificate.feasible else []
    return Html(f'<div class="verdict{" warn" if warn else ""}">\n' + "\n".join(lines) + "\n</div>")


def _instead(found: Findings) -> str:
    """Return what these questions do allow, where they do not allow what was asked for."""
    least = min((one for one in found.ladder if one.feasible), key=lambda one: one.epsilon, default=None)
    if least is None:
        return f"From these {count(found.certificate.n)} questions none of the risks below can be promised."
    return (
        f"The least that these {count(found.certificate.n)} questions could have promised is {percent(least.epsilon)}, "
        f"keeping {percent(least.share_kept)} of the answers; fit again with that epsilon if it is acceptable."
    )


def _gates(found: Findings) -> list[Html]:
    if found.file.gates:
        return [_beside(charts.gates_chart(found), tables.gates(found))]
    if "refitted_from" in found.file.provenance:
        return [paragraph("There are no gates: a refit takes them away. A full fit can bring them back.")]
    if not found.certificate.feasible:
        return [paragraph("There are no gates: nothing is kept, so there is nothing to tell apart early.")]
    return [
        paragraph(
            "There are no gates: none could stop at least 2 % of the answers and let nearly all those pass that would "
            "be kept. Short answers, or ones whose beginning says little, leave nothing to save."
        )
    ]


def _charts(*drawn: Chart) -> Html:
    return Html(f'<div class="charts">\n{joined(map(figure, drawn))}\n</div>')


def _beside(chart: Chart, words: Html) -> Html:
    """Return a chart, and what belongs to it where there is room."""
    return Html(f'<div class="charts">\n{figure(chart)}\n<div>\n{words}\n</div>\n</div>')


def _version(file: FittedFile) -> str:
    versions = file.provenance.get("versions", {})
    return str(versions.get("edgecascade", "")) if isinstance(versions, dict) else ""
