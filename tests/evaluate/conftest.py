"""A pool of three models that nobody owns: a small one that knows facts, a middling one, a large one."""

from collections.abc import Callable

import numpy as np
import pytest

from edgecascade.pool import Queries, Table

Make = Callable[..., tuple[Table, Queries]]


@pytest.fixture
def pool() -> Make:
    """Make a table of n questions and what its questions look like."""

    def make(n: int = 80, *, seed: int = 0, cost: object = (1.0, 2.0, 10.0)) -> tuple[Table, Queries]:
        random = np.random.default_rng(seed)
        hard = random.random(n) < 0.5
        chances = np.where(hard[:, None], (0.1, 0.4, 0.8), (0.9, 0.6, 0.85))
        texts = tuple(f"{'prove theorem' if one else 'name capital'} {row}" for row, one in enumerate(hard))
        table = Table.of(
            (random.random((n, 3)) < chances).astype(float),
            cost,
            models=("small", "middle", "large"),
            tasks=tuple("maths" if one else "facts" for one in hard),
            texts=texts,
        )
        return table, Queries(kind="text", source="words", texts=texts)

    return make
