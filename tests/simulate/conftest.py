"""Devices, clouds and recorded answers that are small enough to be worked out by hand."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from edgecascade.policies import Chance
from edgecascade.profile import Curve, DeviceLimits, Figure, Power, Profile, Speed
from edgecascade.simulate.playing import CloudFacts, Scene, play
from edgecascade.simulate.rows import Row

SIZE = 1e8


class Hand:
    """Everything that is made by hand."""

    gates = ((1, -0.5), (8, 0.0))

    @staticmethod
    def speed(*, prefill: float = 0.01, decode: float = 0.1) -> Speed:
        """So many seconds a token of the prompt, and of the answer."""
        reading, writing = Curve(((0, 0.0), (100, 100 * prefill))), Curve(((0, decode),))
        return Speed(
            model="tiny", parameters=SIZE, bytes=SIZE, prefill=reading, decode=writing, mark="measured", source="hand"
        )

    @staticmethod
    def power(*, decode: float | None = 5.0, idle: float | None = 2.0) -> Power:
        """Watts while it writes, and at rest."""
        figures = [None if watts is None else Figure(watts, "measured", "hand") for watts in (decode, idle)]
        return Power(decode=figures[0], idle=figures[1])

    @classmethod
    def profile(cls, *, memory: float | None = None, power: Power | None = None, **speed: float) -> Profile:
        """A device with one speed."""
        return Profile(
            name="p",
            title="P",
            kind="board",
            speeds=(cls.speed(**speed),),
            power=power or cls.power(),
            limits=DeviceLimits(memory_bytes=memory),
        )

    @staticmethod
    def cloud(usd: float | None = 0.001, *, seconds: float | None = 1.0, quality: float = 0.9) -> CloudFacts:
        """A cloud that takes and costs the same for every answer."""
        return CloudFacts("big", seconds=seconds, usd=usd, quality=quality)

    @staticmethod
    def row(*, p: float = 0.9, tokens: int = 11, gates: tuple[tuple[int, float], ...] = (), ended: bool = True) -> Row:
        """A right answer of so many tokens to a prompt of 20, which the cloud has right too."""
        return Row("q", "task", 20, 0, tokens, ended, p, gates, 1.0, 1.0)

    @classmethod
    def drawn(cls, count: int = 300, *, seed: int = 0) -> tuple[Row, ...]:
        """Answers of which the surer ones are more often right, and pass the gates more often."""
        random = np.random.default_rng(seed)
        rows = []
        for number in range(count):
            p, tokens, prompt = float(random.random()), int(random.integers(2, 60)), int(random.integers(10, 90))
            looks = tuple((at, 4 * p - 1.5 + float(random.normal())) for at, _ in cls.gates if tokens > at)
            right, theirs, ended = random.random() < p, random.random() < 0.9, bool(random.random() < 0.95)
            rows.append(
                Row(f"q{number}", "task", prompt, 4, tokens, ended, p, looks, float(right), float(theirs))
            )  # fmt: skip
        return tuple(rows)

    @classmethod
    def scene(cls, rows: tuple[Row, ...], *, threshold: float = 0.6, gated: bool = False, **parts: object) -> Scene:
        """A cascade whose chance to keep is what it keeps of these answers."""
        wanted: dict[str, object] = {"speed": cls.speed(), "power": cls.power(), "cloud": cls.cloud()} | parts
        alone = Scene(speed=cls.speed(), threshold=threshold, gates=cls.gates, gated=gated, mode="only_on_device")
        kept = [one.row.p for one in play(rows, alone) if one.kept]
        scene = Scene(threshold=threshold, gates=cls.gates, gated=gated, **wanted)  # type: ignore[arg-type]
        return replace(scene, chance=partial(_chance, kept, len(rows)))


def _chance(kept: list[float], answers: int, least: float) -> Chance:
    above = [p for p in kept if p >= least]
    return Chance(len(above) / answers, float(np.mean(above)) if above else 0.0)


@pytest.fixture(scope="session")
def hand() -> type[Hand]:
    """How they are made."""
    return Hand


@pytest.fixture(scope="session")
def rows(hand: type[Hand]) -> tuple[Row, ...]:
    """Three hundred drawn answers."""
    return hand.drawn()
