"""Arrays out of a saved record, refused with words where they do not belong together."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgecascade.errors import PolicyError
from edgecascade.pool import Array


def arrays(record: Mapping[str, Any], /, **axes: str) -> list[Array]:
    """Return a record's arrays by name, float64: each axis a letter, equal letters of equal size; "?" lets NaN pass.

    PolicyError where one is missing, no array of numbers, of another shape, or holds NaN or infinity.

    >>> [one.shape for one in arrays({"weights": np.eye(2), "intercepts": np.ones(2)}, weights="dk", intercepts="k")]
    [(2, 2), (2,)]
    """
    sizes: dict[str, int] = {}
    found = []
    for name, letters in axes.items():
        wanted = letters.removesuffix("?")
        try:
            array = np.asarray(record[name], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(f"found no array {name}") from error
        shape = dict(zip(wanted, array.shape, strict=False))
        if len(wanted) != array.ndim or any(sizes.setdefault(one, size) != size for one, size in shape.items()):
            raise _damaged(f"found {name} of shape {array.shape}, with {sizes} for its axes {wanted}")
        if not ("?" in letters or np.isfinite(array).all()):
            raise _damaged(f"found NaN or infinity in {name}")
        found.append(array)
    return found


def _damaged(found: str) -> PolicyError:
    return PolicyError(f"a saved record is damaged: {found}, wanted what was saved; restore it, or fit again")
