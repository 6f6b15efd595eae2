"""A head's raw score to the probability that the answer is right.

Fit on other rows than the head's. Platt below some 300 labels, isotonic or Venn-Abers above.
"""

from collections.abc import Callable, Mapping
from typing import Any

from edgecascade.calibrators import beta, isotonic, platt, temperature, venn_abers
from edgecascade.calibrators.beta import Beta
from edgecascade.calibrators.calibrator import Calibrator, Floats, Labels, stored_number
from edgecascade.calibrators.isotonic import Isotonic
from edgecascade.calibrators.platt import Platt
from edgecascade.calibrators.shifted import Shifted, refit_intercept
from edgecascade.calibrators.temperature import Temperature
from edgecascade.calibrators.venn_abers import VennAbers
from edgecascade.errors import FittedFileError

__all__ = [
    "CALIBRATORS",
    "Beta",
    "Calibrator",
    "Isotonic",
    "Platt",
    "Shifted",
    "Temperature",
    "VennAbers",
    "calibrator_from_json",
    "refit_intercept",
]

CALIBRATORS: dict[str, Callable[[Floats, Labels], Calibrator]] = {
    "platt": platt.fit,
    "temperature": temperature.fit,
    "beta": beta.fit,
    "isotonic": isotonic.fit,
    "venn_abers": venn_abers.fit,
}
"""How each kind is fitted to scores and labels."""

_STORED: dict[str, Callable[[Mapping[str, Any]], Calibrator]] = {
    "platt": Platt.from_json,
    "temperature": Temperature.from_json,
    "beta": Beta.from_json,
    "isotonic": Isotonic.from_json,
    "venn_abers": VennAbers.from_json,
}


def calibrator_from_json(record: Mapping[str, Any]) -> Calibrator:
    """Return the calibrator that ``as_json`` described, to the last bit; FittedFileError for a damaged or unknown one.

    >>> calibrator_from_json({"kind": "platt", "slope": 2.0, "intercept": 1.0})
    Platt(slope=2.0, intercept=1.0)
    """
    if isinstance(record, Mapping) and record.get("kind") == "shifted":
        return Shifted(_plain(record.get("calibrator")), stored_number(record, "shift"))
    return _plain(record)


def _plain(record: object) -> Calibrator:
    """Return a calibrator that stands on no other."""
    kind = record.get("kind") if isinstance(record, Mapping) else None
    if not isinstance(record, Mapping) or not isinstance(kind, str) or kind not in _STORED:
        raise FittedFileError(
            f"an unknown calibrator: found kind {kind!r:.60}, wanted {', '.join(_STORED)}; calibrate again, or update "
            "edgecascade"
        )
    return _STORED[kind](record)
