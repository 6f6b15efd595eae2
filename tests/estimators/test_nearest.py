"""Tests of neighbours and clusters: they equal the literal definition, in odd cases too."""

import numpy as np

from edgecascade.estimators import nearest
from edgecascade.estimators.clusters import Clusters, fit_clusters
from edgecascade.estimators.nearest import Nearest, fit_nearest, out_of_fold


def test_neighbours_are_those_of_least_distance() -> None:
    """On 200 seeded cases the mean is that over the rows sorted by distance."""
    for seed in range(200):
        random = np.random.default_rng(seed)
        rows, targets, new = random.normal(size=(9, 3)), random.random((9, 2)), random.normal(size=(4, 3))
        order = np.argsort(((new[:, None] - rows) ** 2).sum(axis=2), axis=1)[:, :3]

        np.testing.assert_allclose(Nearest.of(rows, targets, 3)(new), targets[order].mean(axis=1))


def test_many_rows_are_asked_about_in_chunks() -> None:
    """More distances than are held at a time give the same as few."""
    rows = np.random.default_rng(0).random((4100, 2))
    found = Nearest.of(rows, rows, 3)

    assert len(rows) ** 2 > nearest.CHUNK * 4
    np.testing.assert_allclose(found(rows)[3000:3020], found(rows[3000:3020]))


def test_more_neighbours_than_rows_are_all_rows() -> None:
    """Then everything is the mean; and no rows to ask about is no error."""
    found = Nearest.of(np.eye(3), np.arange(3.0)[:, None], 50)

    np.testing.assert_allclose(found(np.zeros((2, 3))), 1.0)
    assert found(np.zeros((0, 3))).shape == (0, 1)


def test_no_row_is_its_own_neighbour_out_of_fold() -> None:
    """With every row a fold of its own, the nearest of equal pairs is the other one."""
    rows = np.repeat(np.arange(4.0), 2)[:, None]
    found = out_of_fold(rows, np.arange(8.0)[:, None] / 8, [1], np.arange(8))

    np.testing.assert_allclose(found[0, :, 0] * 8, np.arange(8) ^ 1)


def test_noise_asks_many_neighbours_and_order_few() -> None:
    """Cross-validation takes the most neighbours where features tell nothing, fewer where they tell all."""
    random = np.random.default_rng(0)
    features = random.random((400, 1))
    noise = fit_nearest(features, random.random((400, 1)).round())
    order = fit_nearest(features, (features * 8 % 2 > 1).astype(float))

    assert noise.neighbours == max(nearest.NEIGHBOURS)
    assert order.neighbours == min(nearest.NEIGHBOURS)
    assert (Nearest.of_json(order.as_json())(features) == order(features)).all()


def test_clusters_that_lie_apart_are_found() -> None:
    """Four heaps become four clusters, by every seed the same rows together."""
    heaps = np.repeat(10 * np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), 25, axis=0)
    rows = heaps + np.random.default_rng(0).normal(size=heaps.shape)
    for seed in range(10):
        found = fit_clusters(rows, 4, seed=seed)(rows).reshape(4, 25)

        assert (found == found[:, :1]).all()
        assert len(set(found[:, 0])) == 4


def test_every_centre_is_the_mean_of_its_rows() -> None:
    """Lloyd's iterations end at a fixed point, and no cluster is empty."""
    rows = np.random.default_rng(1).normal(size=(200, 3))
    clusters = fit_clusters(rows, 12, seed=0)
    numbers = clusters(rows)

    assert np.bincount(numbers, minlength=12).min() > 0
    np.testing.assert_allclose(clusters.centres, [rows[numbers == one].mean(axis=0) for one in range(12)])
    assert (Clusters.of_json(clusters.as_json()).centres == clusters.centres).all()


def test_fewer_kinds_of_rows_than_clusters() -> None:
    """Rows of which only two differ have two clusters."""
    assert len(fit_clusters(np.repeat(np.eye(2), 5, axis=0), 6, seed=0)) == 2
