"""Device profiles compared that nobody owns: one that pays, one that never does, one of which a number is unknown."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from edgecascade.profile import Conditions, Curve, Figure, Power, Profile, Speed, Weights
from edgecascade.simulate.comparing import Compared, Outcome, Verdict
from edgecascade.simulate.playing import CloudFacts
from edgecascade.simulate.side_by_side import Comparison, in_order

SOURCE = "benches at https://example.org/a-bench?x=1, table 2"


def row_of(name: str, verdict: Verdict, *, seconds: float, joules: float | None = 3.0) -> Compared:
    """Return a profile with its verdict."""
    figure = Figure(4.0, "literature prior", SOURCE)
    speed = Speed(
        model="small", parameters=1e9, bytes=5e8, prefill=Curve(((0, 0.0), (512, 2.0))), decode=Curve(((0, 0.1),)),
        mark="estimate", source=SOURCE,
    )  # fmt: skip
    cascade = Outcome(200, 0.7, 0.4, 0.8, seconds, 3 * seconds, 1.5 * seconds, 0.0004, joules)
    cloud = replace(cascade, threshold=None, kept=0.0, seconds_p50=1.0, seconds_p95=1.0, seconds_mean=1.0, usd=0.001)
    profile = Profile(name=name, title=name, kind="board", speeds=(speed,), power=Power(idle=figure, decode=figure))
    return Compared(profile, speed, cascade, cloud, cascade, verdict, f"because of <{name}>", ("it is hot",), 0.002)


@pytest.fixture
def comparison() -> Callable[..., Comparison]:
    """Make a comparison of these rows."""

    def make(*rows: Compared, **changes: object) -> Comparison:
        usual = Comparison(
            model="small",
            fitted="0123456789abcdef",
            cloud=CloudFacts("big", seconds=1.0, usd=0.001),
            weights=Weights(value_usd=0.01),
            conditions=Conditions(),
            rows=in_order(rows or ROWS),
        )
        return replace(usual, **changes)  # type: ignore[arg-type]

    return make


ROWS = (
    row_of("never-board", "never", seconds=40.0),
    row_of("slow-board", "use", seconds=2.0),
    row_of("fast-board", "use", seconds=0.1),
    row_of("dark-board", "unknown", seconds=1.0, joules=None),
)


@pytest.fixture
def rows() -> tuple[Compared, ...]:
    """Four profiles, in no order."""
    return ROWS
