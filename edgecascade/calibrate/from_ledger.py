"""What shadows have recorded, as attempts that can be fitted.

Both sides of a question are there; the cloud is taken to be right, and a user's own verdict on the device's answer goes
before that. All rows of a fit were run alike: the same weights, sampler, system message and cloud.
"""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

from edgecascade.cascade.afterwards import CONVERSATION
from edgecascade.errors import AttemptsError, InputError
from edgecascade.identity import Identity
from edgecascade.labelled import Grade
from edgecascade.store.attempts import Attempt, Attempts, Header, unpacked
from edgecascade.store.ledger import Ledger, ShadowRow


def attempts_of(
    ledger: Ledger, *, sha256: str, today: str, fingerprint: tuple[tuple[int, float], ...]
) -> tuple[Attempts, int]:
    """Return a model's shadowed attempts, and how many others of it were left out for having run in another way.

    sha256  of the weights, or its first digits

    Raises AttemptsError where there are none.
    """
    rows = [(row, json.loads(row.identity)) for row in ledger.shadows()]
    own = [(row, run) for row, run in rows if run["identity"]["sha256"].startswith(sha256)]
    if not own:
        raise AttemptsError(
            f"the ledger holds no shadows of this model: found {len(rows)} of others, wanted some hundreds of its own; "
            "set shadow = 0.2 in the config, with a cloud, and use it for a while"
        )
    chosen, count = Counter(row.identity_sha256 for row, _ in own).most_common(1)[0]
    run = next(run for row, run in own if row.identity_sha256 == chosen)
    attempts = tuple(_attempt(ledger, row, run) for row, _ in own if row.identity_sha256 == chosen)
    header = Header(
        identity=Identity(**run["identity"]),
        questions="ledger",
        system=run["system"],
        cloud=run["cloud"],
        shard="1/1",
        created=today,
        width=run["width"],
        fingerprint=fingerprint,
        conversations=any(attempt.task == CONVERSATION for attempt in attempts),
    )
    return Attempts(header, attempts), len(own) - count


def _attempt(ledger: Ledger, row: ShadowRow, run: dict[str, Any]) -> Attempt:
    attempt = unpacked(row.row, row.numbers, width=run["width"])
    try:
        answer = ledger.answer(row.answer_id)
    except InputError:  # pruned since
        return attempt
    if answer["feedback"] is None or answer["place"] != "device":
        return attempt
    return replace(attempt, grade=Grade(float(answer["feedback"])))
