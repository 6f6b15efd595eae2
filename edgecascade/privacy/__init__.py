"""What may leave the device: every question passes ``clear`` before a byte of it is sent.

    rules      what the user wants              finding    which parts of a text are private
    gate       question and rules -> cleared    restoring  placeholders in an answer -> the user's own words

    contacts   email, phone     payments  card, iban     national_ids  national_id     keys  key, secret

All of it is patterns and checksums, without a model. Names and addresses of people are not found.
"""

from edgecascade.privacy.finding import Finding, findings
from edgecascade.privacy.gate import Cleared, clear, cleared_question
from edgecascade.privacy.restoring import Restorer, in_json, restored
from edgecascade.privacy.rules import KINDS, Pattern, Rules

__all__ = [
    "KINDS",
    "Cleared",
    "Finding",
    "Pattern",
    "Restorer",
    "Rules",
    "clear",
    "cleared_question",
    "findings",
    "in_json",
    "restored",
]
