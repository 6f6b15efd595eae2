"""The ledger: an append-only SQLite file with a row an answer and a row a call that left this device.

``ledger`` has the class, each of whose methods is one transaction. What they do stands in ``budgets`` (reserved before
a call, settled after it), ``queue`` (questions that wait for a cloud), ``lessons`` (what learners are taught),
``reading``, ``exporting`` and ``pruning``; ``rows`` and ``schema`` say what is stored; ``file`` opens it and knows what
can go wrong.
"""

from edgecascade.store.ledger.budgets import Cap, Reservation, caps_of
from edgecascade.store.ledger.ledger import Ledger
from edgecascade.store.ledger.lessons import Choice, Lesson
from edgecascade.store.ledger.queue import Queued
from edgecascade.store.ledger.reading import Summary
from edgecascade.store.ledger.rows import AnswerRow, CallRow, ShadowRow

__all__ = [
    "AnswerRow",
    "CallRow",
    "Cap",
    "Choice",
    "Ledger",
    "Lesson",
    "Queued",
    "Reservation",
    "ShadowRow",
    "Summary",
    "caps_of",
]
