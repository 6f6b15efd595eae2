"""Expressions are compared by what they mean."""

import pytest

from edgecascade.grading import grade
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Message

RIGHT = Grade(1.0)


def ask(metric: str, *gold: str) -> LabelledQuestion:
    """Return a question with this metric."""
    return LabelledQuestion(id="1", task="t", messages=(Message("user", "?"),), metric=metric, gold=gold)


MATH = [
    (r"\boxed{\frac{1}{2}}", r"so \boxed{\dfrac12}.", True),
    (r"\boxed{\frac 59}", "5/9", True),
    (r"\boxed{\frac{1}{2}}", "0.5", True),
    (r"\boxed{4\sqrt{5}}", r"The answer is $4 \sqrt 5$.", True),
    (r"\boxed{4\sqrt{5}}", r"\boxed{\sqrt{80}}", True),
    (r"\boxed{\frac{2\sqrt{3}}{3}}", r"\boxed{\frac{2}{\sqrt3}}", True),
    (r"\boxed{125,\!000}", "125000", True),
    (r"\boxed{2 \text{ pieces}}", "2", True),
    (r"\boxed{45^\circ}", "45 degrees", True),
    (r"\boxed{-2 \text{ or } -12}", r"\boxed{-12, -2}", True),
    (r"\boxed{\text{Sunday}}", "Sunday.", True),
    (r"\boxed{(5,-5,-6)}", r"$(5, -5, -6)$", True),
    (r"\boxed{\left( \frac{2}{5}, \frac{3}{5} \right)}", r"\boxed{(0.4, 0.6)}", True),
    (r"\boxed{(-\infty,5)\cup (5,\infty)}", r"\boxed{(-\infty, 5) \cup (5, \infty)}", True),
    (r"\boxed{\begin{pmatrix} -20/13 \\ -4/13 \end{pmatrix}}",
     r"\boxed{\begin{pmatrix} \frac{-20}{13} \\ -\frac{4}{13} \end{pmatrix}}", True),
    (r"\boxed{29b(5b+1)}", r"\boxed{145b^2 + 29b}", True),
    (r"\boxed{x^2 + 1}", r"\boxed{1 + x^2}", True),
    (r"\boxed{y=-2x+1}", r"\boxed{-2x+1}", True),
    (r"\boxed{\frac{\pi}{4}}", "π/4", True),
    ("350", "He has $350 left.", True),
    ("350", r"\boxed{350 \text{ dollars}}", True),
    ("350", "The answer is 350 dollars.", True),
    (r"\boxed{\{1,2\}}", r"\boxed{\{2, 1\}}", True),
    (r"\boxed{2215_6}", r"\boxed{2215_{6}}", True),
    (r"\boxed{(1,2)}", r"\boxed{(2,1)}", False),
    (r"\boxed{[2,5)}", r"\boxed{(2,5)}", False),
    (r"\boxed{\begin{pmatrix} 1 & 2 \end{pmatrix}}", r"\boxed{\begin{pmatrix} 2 & 1 \end{pmatrix}}", False),
    (r"\boxed{\frac{1}{2}}", r"\boxed{\frac{1}{3}}", False),
    (r"\boxed{x^2}", r"\boxed{x^3}", False),
    (r"\boxed{23,-17}", r"\boxed{23}", False),
    (r"\boxed{6}", "I cannot answer", False),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer", "right"), MATH)
def test_expressions_are_compared_by_what_they_mean(gold: str, answer: str, right: bool) -> None:
    """Notation does not matter, the value, the order in a tuple and the kind of a bracket do."""
    assert grade(answer, ask("MATH", gold)).correct == right


def test_every_gold_expression_equals_itself() -> None:
    """The gold solution graded as an answer is right."""
    for gold in {row[0] for row in MATH}:
        assert grade(gold, ask("MATH", gold)) == RIGHT
