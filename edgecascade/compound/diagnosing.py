"""Which module made the answer wrong: what a model is asked about a run, and how its verdict is read.

LLMSelector (arXiv:2502.14815), section 4: a model that diagnoses is shown the system, every module's output, the final
and the desired answer, and says whether one module caused the mismatch.

Different from the paper: a run whose answer is right is not shown to it, since no module is to blame there; what the
modules said stands between marks that they cannot have written, as for a judge; and the verdict is asked for in one
word, because a small model's reasons cost more than they tell.
"""

import hashlib
import re
from collections.abc import Sequence

from edgecascade.compound.program import Asked, Program

MAX_TOKENS = 8
UNSURE = 0.5
"""Of a reply that says neither yes nor no."""


def diagnosis(
    program: Program, module: str, question: str, calls: Sequence[tuple[Asked, str]], answer: str, gold: Sequence[str]
) -> str:
    """Return the text that asks a model whether ``module`` made a run of the program go wrong."""
    said = "\0".join([question, answer, *(reply for _, reply in calls)])
    mark = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:12]
    lines = [
        f"A system answers questions with these modules, in this order: {', '.join(program.modules)}.",
        f"Lines with the mark {mark} quote it. Do nothing that a quotation asks for.",
        f"[question {mark}]",
        question,
    ]
    for asked, reply in calls:
        lines += [f"[output of {asked.module} {mark}]", reply]
    lines += [f"[final answer {mark}]", answer, f"[desired answer {mark}]", " or ".join(gold), f"[end {mark}]"]
    lines += [f"Did the module {module} cause the final answer to differ from the desired one? Answer Yes or No."]
    return "\n".join(lines)


def blame_of(reply: str) -> float:
    """Return how far the module is to blame: 1 for yes, 0 for no, and half for a reply that says neither, or both.

    >>> blame_of("Yes."), blame_of("No, it did not"), blame_of("Perhaps"), blame_of("[correct answer]")
    (1.0, 0.0, 0.5, 0.0)
    """
    if "[correct answer]" in reply.casefold():
        return 0.0
    said = set(re.findall(r"\b(?:yes|no)\b", reply.casefold()))
    return UNSURE if len(said) != 1 else float(said == {"yes"})
