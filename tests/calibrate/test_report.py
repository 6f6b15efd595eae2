"""The report's page: it says what the fitted file says, stands alone, and is well-formed whatever is in the file."""

import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from edgecascade.calibrate.report import report_of
from edgecascade.calibrate.report.findings import Findings
from edgecascade.errors import FittedFileError
from edgecascade.guarantees.certificate import Certificate
from edgecascade.guarantees.ladder import EPSILONS, certify_ladder
from edgecascade.identity import Identity
from edgecascade.store.fitted_files import FittedFile, GatePart, HeadPart, HeldOut

COUNT = 240
HOSTILE = "<script>alert('&')</script>"
VOID = {"meta", "br", "wbr", "link", "img", "hr", "input"}
GATE = GatePart(
    at=8, signals=("mean_logprob",), weights=(1.0,), intercept=0.0, stop_below=-2.0,
    stops=0.2, tokens_saved=0.1, false_alarms=(0.02, 0.001, 0.07),
)  # fmt: skip


def file_of(
    *, promise: str = "regret", epsilon: float = 0.1, cloud: bool = True, gates: int = 0, name: str = "algebra"
) -> FittedFile:
    """Return a fitted file in which p is calibrated: two tasks of 110 questions, one of 20 that is always wrong."""
    random = np.random.default_rng(3)
    task = np.repeat([0, 1, 2], [110, 110, 20])
    p = np.where(task == 2, 0.7, np.sqrt(random.random(COUNT))).round(4)
    local = np.where(task == 2, 0.0, random.random(COUNT) < p)
    theirs = (random.random(COUNT) < 0.8).astype(float)
    loss = np.maximum(theirs - local, 0) if promise == "regret" else 1 - local
    ladder = certify_ladder(p, loss, delta=0.1, promise=promise, epsilons=sorted({*EPSILONS, epsilon}))  # type: ignore[arg-type]
    own = next(one for one in ladder if one.epsilon == epsilon)
    value = {"value": 0.7, "low": 0.6, "high": 0.8}
    unknown = {"value": None, "low": float("nan"), "high": None}
    first = {"name": "compact", "in_domain": value, "out_of_domain": unknown, "gain_in": None}
    records: tuple[dict[str, Any], ...] = tuple(one.as_json() for one in ladder)
    return FittedFile(
        id="0123456789abcdef", created="2026-11-21", system=None, cloud="big" if cloud else None,
        promise=promise,  # type: ignore[arg-type]
        identity=Identity(
            model=name, sha256="0" * 64, family="f", quantisation="Q4_K_M", template="t", sampler={"temperature": 0.0},
            grammar=False, library="l", backend="cpu", chunk=64, sequences=8, context=4096, kv_type="f16",
            flash_attention="auto", use_extra_bufts=True,
        ),
        epsilon=epsilon, delta=0.1, verdict="certified" if own.feasible else "infeasible",
        advice="Some can be kept." if own.feasible else f"DO NOT CASCADE yet: {own.reason}.",
        head=HeadPart(name="compact", kind="linear", signals=("a",), weights=(1.0,), sha256="0" * 64),
        calibrator={"kind": "platt", "slope": 1.0, "intercept": 0.0},
        certificates=records, composed=records if gates else (), gates=(GATE,) * gates,
        reference={}, fingerprint=(), tasks=(name, "mmlu/law", "always_wrong"),
        selection={
            "head": "compact", "calibrator": "platt", "calibrator_log_loss": {"platt": 0.6, "beta": 0.61},
            "heads": [first | {"gain_out": None, "kept": True},
                      first | {"name": "trees", "gain_in": value, "gain_out": unknown, "kept": False}],
        },
        metrics={"auroc": value, "auroc_within_tasks": value, "brier": unknown, "baselines": {"mean_logprob": value}},
        provenance={"fitted_on": 160, "certified_on": COUNT, "versions": {"edgecascade": "0.1.0"}, "seed": 0},
        held_out=HeldOut(
            task=tuple(task.tolist()), p=tuple(p.tolist()), local=tuple(local.tolist()),
            cloud=tuple(theirs.tolist()) if cloud else None, loss=tuple(loss.tolist()), seconds=(1.0,) * COUNT,
            baselines={"mean_logprob": tuple((-p).tolist())},
        ),
    )  # fmt: skip


CASES = {
    "regret": file_of(),
    "regret behind gates": file_of(gates=3),
    "selective without a cloud": file_of(promise="selective", epsilon=0.4, cloud=False),
    "agreement": file_of(promise="agreement", epsilon=0.4),
    "infeasible": file_of(epsilon=0.005),
    "hostile names": file_of(name=HOSTILE, gates=1),
}
PAGES: dict[str, str] = {}


def page(case: str) -> str:
    """Return the page of a case, drawn once."""
    if case not in PAGES:
        PAGES[case] = report_of(CASES[case])
    return PAGES[case]


class Reader(HTMLParser):
    """Keeps what a page says and loads, and the tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.anchors: list[str] = []
        self.loads: list[str] = []
        self.charts: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.said = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an opening tag."""
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names, loads and draws."""
        self.tags.add(tag)
        found = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        for name, value in attrs:
            if name.endswith("href") or name == "src":
                (self.anchors if value and value.startswith("#") else self.loads).append(str(value))
        if tag == "svg" and "aria-hidden" not in found:
            self.charts.append(found)

    def handle_endtag(self, tag: str) -> None:
        """Note a tag that closes another than the last one opened."""
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        """Note what is said."""
        if self.open and self.open[-1] != "style":
            self.said += f"{data} "


every_case = pytest.mark.parametrize("case", CASES)


@every_case
def test_a_page_says_the_promise_and_the_advice(case: str) -> None:
    """The certificate's sentence stands in the page word for word, and so does the advice."""
    file = CASES[case]
    own = next(one for one in map(Certificate.from_json, file.certificates) if one.epsilon == file.epsilon)

    said = unescape(page(case))

    assert own.sentence(file.created) in said
    assert file.advice.removeprefix("DO NOT CASCADE") in said


@every_case
def test_a_page_is_well_formed(case: str) -> None:
    """Tags are closed in order, no id is there twice, and every link within the page leads somewhere."""
    read = Reader(page(case))

    assert not read.faults
    assert not read.open
    assert len(read.ids) == len(set(read.ids))
    assert {anchor[1:] for anchor in read.anchors} | set(re.findall(r"url\(#([^)]*)\)", page(case))) <= set(read.ids)


@every_case
def test_a_page_stands_alone(case: str) -> None:
    """Nothing is loaded and nothing runs."""
    read = Reader(page(case))

    assert not read.loads
    assert not read.tags & {"script", "link", "img", "iframe", "object"}
    assert "@import" not in page(case)
    assert "http" not in page(case)


@every_case
def test_a_page_shows_no_missing_numbers(case: str) -> None:
    """What is not known is a dash, in text and in drawings."""
    text = page(case)

    assert not re.search(r"\b(nan|NaN|None|inf|Infinity|null)\b", Reader(text).said)
    assert not re.search(r'd="[^"]*\b(nan|inf)\b', text, re.IGNORECASE)


@every_case
def test_every_chart_can_be_heard(case: str) -> None:
    """Each chart has a text in its place, a title and a caption, and is small."""
    read = Reader(page(case))

    assert len(read.charts) >= 3
    assert all(len(chart["aria-label"] or "") > 40 for chart in read.charts)
    assert page(case).count("<figcaption>") == len(read.charts)
    assert all(len(svg) < 150_000 for svg in re.findall(r"<svg class.*?</svg>", page(case), re.DOTALL))


@every_case
def test_charts_take_the_colours_of_the_page(case: str) -> None:
    """No stand-in is left, and every colour that is used is defined for light and for dark."""
    text = page(case)

    assert "#0a" not in text
    assert all(text.count(f"{name}: #") == 2 for name in set(re.findall(r"var\((--\w+)\)", text)))


def test_names_are_escaped() -> None:
    """A model or task with markup in its name is shown, not obeyed."""
    read = Reader(page("hostile names"))

    assert "script" not in read.tags
    assert read.said.count("alert('&')") >= 3


def test_what_is_not_there_has_no_chart() -> None:
    """Without a cloud no deferral curve; with one, there is; gates are drawn or their absence is explained."""
    without, with_cloud = Reader(page("selective without a cloud")), Reader(page("regret behind gates"))

    assert "deferral" not in without.ids
    assert "deferral" in with_cloud.ids
    assert "gates-chart" in with_cloud.ids
    assert "There are no gates" in without.said


def test_an_infeasible_page_says_what_would_help() -> None:
    """It names how many questions would be needed, and the least risk that these could have promised."""
    said = Reader(page("infeasible")).said

    assert "DO NOT CASCADE" in said
    assert "questions would be needed" in said
    assert "The least that these 240 questions could have promised" in said.replace("\u202f", "")


def test_a_task_far_above_the_promise_is_marked() -> None:
    """The task that is kept and always wrong is marked, the calibrated ones are not."""
    tasks = Findings.of(CASES["selective without a cloud"]).tasks()

    assert {task.name: task.above for task in tasks} == {"algebra": False, "mmlu/law": False, "always_wrong": True}
    assert [task.kept for task in tasks] == sorted((task.kept for task in tasks), reverse=True)


@every_case
def test_findings_keep_what_the_certificate_keeps(case: str) -> None:
    """The kept answers are as many as certified, none less sure than one that is sent, and lose as much."""
    found = Findings.of(CASES[case])

    assert found.kept.sum() == found.certificate.kept
    assert found.p[found.kept].min(initial=1) >= found.p[~found.kept].max(initial=0)
    assert found.loss[found.kept].sum() == pytest.approx(found.certificate.losses)


def test_a_refitted_file_can_be_shown() -> None:
    """A refit has no gates and says so."""
    file = CASES["regret"]
    refitted = file.model_copy(update={"provenance": file.provenance | {"refitted_from": "abc"}})

    assert "a refit takes them away" in report_of(refitted)


def test_a_file_without_its_own_certificate_is_refused() -> None:
    """The ladder must hold the epsilon that was asked for."""
    file = CASES["regret"].model_copy(update={"epsilon": 0.03})

    with pytest.raises(FittedFileError, match=r"found epsilon 0\.005.*wanted 0\.03"):
        report_of(file)


def test_without_matplotlib_the_command_that_helps_is_named() -> None:
    """A missing library is our error, with what to run."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from edgecascade.page.drawing import Chart, figure\n"
        "from edgecascade.errors import LibraryMissingError\n"
        "try: figure(Chart('a', 'b', 'c', 'd', print))\n"
        "except LibraryMissingError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "pip install 'edgecascade[calibrate]'" in done.stdout


def test_a_page_is_the_same_each_time() -> None:
    """The same file makes the same page, to the letter."""
    again = report_of(CASES["regret"])

    assert again == page("regret")


def test_the_cases_are_what_they_are_called() -> None:
    """Only the infeasible case is infeasible, so every other page shows a certificate."""
    feasible = {case: Findings.of(file).certificate.feasible for case, file in CASES.items()}

    assert feasible == {case: case != "infeasible" for case in CASES}
