"""What was once found out about this device, remembered until one of the facts it depends on changes."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgecascade.store.files import write_whole
from edgecascade.store.paths import Folders

SCHEMA = 1


def verdict_path(folders: Folders, facts: dict[str, Any]) -> Path:
    """Return the file in which the verdict for these facts is remembered."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return folders.state / "verdicts" / f"{digest[:24]}.json"


def recall(folders: Folders, facts: dict[str, Any]) -> dict[str, Any] | None:
    """Return the verdict remembered for these facts; None where there is none, or one that cannot be read."""
    try:
        kept = json.loads(verdict_path(folders, facts).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(kept, dict) and kept.get("schema") == SCHEMA and kept.get("facts") == facts
    return kept.get("verdict") if whole else None


def remember(folders: Folders, facts: dict[str, Any], verdict: dict[str, Any]) -> None:
    """Keep the verdict for these facts; where nothing can be written it is only found out anew each time."""
    text = json.dumps({"schema": SCHEMA, "facts": facts, "verdict": verdict}, indent=1)
    with suppress(OSError):
        write_whole(verdict_path(folders, facts), text + "\n")
