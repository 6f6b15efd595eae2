"""Fixed standard normal points that fill space evenly: a Sobol sequence, shifted, mirrored and whitened.

Joe and Kuo, "Constructing Sobol sequences with better two-dimensional projections" (2008): the first direction
numbers of their table. Different from it: one digital shift, chosen as the best of 40 on random maxima, stands for all.
Their mean is 0 and their covariance the identity to the last digit, so whatever is linear or quadratic is exact.
"""

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from edgecascade.pool import Array

Integers = NDArray[np.int64]

BITS = 30
SHIFT = 10
POLYNOMIALS = (3, 7, 11, 13, 19, 25, 37, 41, 47, 55, 59)
"""Of the second dimension and those after it, as bits."""
STARTS = (
    (1,),
    (1, 3),
    (1, 3, 1),
    (1, 1, 1),
    (1, 1, 3, 3),
    (1, 3, 5, 13),
    (1, 1, 5, 5, 17),
    (1, 1, 5, 5, 5),
    (1, 1, 7, 11, 19),
    (1, 1, 5, 1, 1),
    (1, 1, 1, 3, 11),
)


@cache
def normal_points(count: int, dims: int) -> Array:
    """Return ``count`` (even, more than twice ``dims``) points of ``dims`` independent standard normals; read only.

    Beyond twelve dimensions the rest are seeded random numbers.
    """
    even = _sobol(count // 2, min(dims, len(STARTS) + 1))
    inverse = NormalDist().inv_cdf
    drawn = np.array([[inverse(one) for one in row] for row in even])
    random = np.random.default_rng(SHIFT).standard_normal((count // 2, dims - drawn.shape[1]))
    drawn = np.concatenate([drawn, random], 1)
    both = np.concatenate([drawn, -drawn])
    found = np.linalg.solve(np.linalg.cholesky(both.T @ both / len(both)), both.T).T
    found.flags.writeable = False
    return np.asarray(found)


def _sobol(count: int, dims: int) -> Array:
    """Return the first points of the shifted sequence, in Gray code order, strictly between 0 and 1."""
    place = np.arange(count)
    gray = place ^ (place >> 1)
    found = np.zeros((count, dims), np.int64)
    directions = np.array([_directions(dim) for dim in range(dims)], np.int64)
    for bit in range(max(count - 1, 1).bit_length()):
        found ^= (gray >> bit & 1)[:, None] * directions[:, bit]
    shifts: Integers = np.random.default_rng(SHIFT).integers(0, 1 << BITS, dims)
    return np.asarray(((found ^ shifts) + 0.5) / (1 << BITS))


def _directions(dim: int) -> list[int]:
    """Return a dimension's direction numbers, the highest bit first."""
    if dim == 0:
        return [1 << (BITS - 1 - i) for i in range(BITS)]
    polynomial, numbers = POLYNOMIALS[dim - 1], list(STARTS[dim - 1])
    degree = polynomial.bit_length() - 1
    while len(numbers) < BITS:
        following = numbers[-degree] ^ (numbers[-degree] << degree)
        for j in range(1, degree):
            if polynomial >> (degree - j) & 1:
                following ^= numbers[-j] << j
        numbers.append(following)
    return [number << (BITS - 1 - i) for i, number in enumerate(numbers)]
