"""A fitted file as one page to read: what is promised, how good the estimate is, and how it was chosen.

The page is self-contained: styles and charts are inside, nothing is loaded, nothing runs. No question's text is in it.

    findings  the file as columns          charts  what is drawn
    tables    the file as tables           words   what things are called
"""

from edgecascade.calibrate.report import charts, tables
from edgecascade.calibrate.report.findings import Findings
from edgecascade.page import shell
from edgecascade.page.drawing import beside, figures
from edgecascade.page.markup import Html, count, paragraph, percent
from edgecascade.page.shell import Part
from edgecascade.store.fitted_files import FittedFile

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
    return shell.page(
        f"Calibration of {file.identity.model}",
        found.certificate.sentence(file.created),
        _verdict(found),
        _parts(found),
        f"Fitted file {file.id}, fitted {file.created}, by edgecascade {_version(file)}.",
    )


def _parts(found: Findings) -> list[Part]:
    cost = [charts.promised_risk_chart(found)]
    cost += [charts.selective_risk_chart(found)] if found.file.promise != "selective" else []
    cost += [charts.deferral_chart(found, found.cloud)] if found.cloud is not None else []
    truth = beside(charts.reliability_chart(found), tables.quality(found))
    apart = beside(charts.outcomes_chart(found), tables.separation(found))
    chosen = [tables.heads(found), tables.calibrators(found), tables.baselines(found)]
    return [
        Part("numbers", "Numbers", "In a few numbers", [tables.numbers(found), tables.identity(found)]),
        Part("truth", "Is p true?", "Is the estimate true?", [truth]),
        Part("cost", "What it costs", "What keeping answers costs", [figures(*cost)]),
        Part("ladder", "Promises", "What else could be promised", [tables.ladder(found)]),
        Part("tasks", "Tasks", "Task by task", [paragraph(MIXTURE), tables.tasks(found)]),
        Part("scores", "Right and wrong", "How p tells right from wrong", [apart]),
        Part("gates", "Early stop", "Stopping early", _gates(found)),
        Part("choice", "How it was chosen", "How the estimate was chosen", chosen),
        Part("glossary", "Glossary", "Glossary", [tables.glossary()]),
    ]


def _verdict(found: Findings) -> Html:
    advice, feasible = found.file.advice, found.certificate.feasible
    more = () if feasible else (_instead(found),)
    if advice.startswith(WARNING):
        return shell.verdict(WARNING, advice.removeprefix(WARNING), *more, warn=True)
    return shell.verdict("Certified." if feasible else "Infeasible.", f" {advice}", *more, warn=not feasible)


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
        return [beside(charts.gates_chart(found), tables.gates(found))]
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


def _version(file: FittedFile) -> str:
    versions = file.provenance.get("versions", {})
    return str(versions.get("edgecascade", "")) if isinstance(versions, dict) else ""
