"""A fitted cascade routing on arrays: at a budget, what it runs and answers. ``cascade_routing`` fits it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgecascade.errors import PolicyError
from edgecascade.policies.routing.corrections import Corrections
from edgecascade.policies.routing.estimates import Estimates, Spread, numbers
from edgecascade.policies.routing.price_curve import Setting
from edgecascade.policies.routing.price_search import Prices, prices_of_json
from edgecascade.policies.routing.supersets import STOP, Places, Rules, next_models
from edgecascade.pool import Array, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """What became of n questions.

    run      which models were run (n, k)       answer   the one whose answer is given (n,)
    cost     of all that were run, by the costs that were given (n,)
    quality  that the answer is believed to have (n,)
    """

    run: Mask
    answer: Places
    cost: Array
    quality: Array


@dataclass(frozen=True, slots=True, eq=False)
class CascadeRouting:
    """Cascade routing at a budget. Fitted once, ``at`` another budget is a look-up.

    prices    the fitted curve and ladder          rules    which sets may be run, in which order
    spread    standard deviations or covariances   cost     mean cost of each model (k,), where ``run`` is given none
    corrections  of the estimates, where quality was known to fit them
    setting   the prices at this budget: its ``cost`` and ``quality`` are means expected, ``feasible`` tells whether
              the budget can be kept; where not, every question runs the cheapest model
    """

    prices: Prices
    rules: Rules
    spread: Spread
    cost: Array
    corrections: Corrections
    setting: Setting

    @property
    def feasible(self) -> bool:
        """Whether the budget can be kept."""
        return self.setting.feasible

    def at(
        self, budget: float | None = None, *, confidence: float | None = None, price: float | None = None
    ) -> "CascadeRouting":
        """Return the same at another budget.

        budget      mean cost a question on new questions like the fitted ones; None: no limit, the best there is
        confidence  with which new questions keep it, 0.5 to 1; None: kept in expectation on the fitted questions
        price       of one unit of cost in units of quality, instead of a budget; 0 runs whatever adds anything
        """
        return replace(self, setting=self.prices.at(budget, confidence=confidence, price=price))

    def run(
        self,
        before: ArrayLike,
        after: ArrayLike,
        cost: ArrayLike | None = None,
        *,
        sd_before: ArrayLike | None = None,
        sd_after: ArrayLike | None = None,
        draw: ArrayLike | None = None,
        seed: int = 0,
    ) -> Runs:
        """Return what it runs and answers on questions; arrays as ``fit_cascade_routing`` takes them.

        cost  None: the fitted mean cost of each model    sd_before, sd_after  None: the fitted ones
        draw  a number from 0 to 1 for each question, which decides what is mixed (n,); None: drawn from the seed
        """
        spread = self.spread.given(sd_before, sd_after)
        seen = Estimates.of(before, after, self.cost if cost is None else cost, spread, self.rules.order)
        seen = seen.corrected(self.corrections)
        n = len(seen.cost)
        draws = np.random.default_rng(seed).random(n) if draw is None else numbers("draw", draw, (n,), least=0.0)
        ran = self._play(seen, self.setting.price(draws))
        run = (ran[:, None] >> np.arange(len(self.rules.order)) & 1).astype(bool)
        answer, quality = seen.answers(np.arange(n), ran)
        return Runs(run, answer, np.where(run, seen.cost, 0.0).sum(1), quality)

    def _play(self, seen: Estimates, price: Array) -> Places:
        """Return the models that each question has run at the end, as a number (n,)."""
        ran, going = np.zeros(len(price), np.intp), np.arange(len(price))
        for ratio in self.prices.ratios:
            following = []
            for code in sorted(set(ran[going].tolist())):
                rows = going[ran[going] == code]
                model = next_models(seen.views(rows, code), code, price[rows] * ratio, self.rules)
                on = model != STOP
                ran[rows[on]] |= np.left_shift(1, model[on])
                following.append(rows[on])
            going = np.concatenate(following) if following else going[:0]
        return ran

    def as_json(self) -> dict[str, Any]:
        """Return what ``read_cascade_routing`` makes it from again."""
        return {
            "strategy": self.rules.strategy,
            "depth": self.rules.depth,
            "order": list(self.rules.order),
            "cost": self.cost,
            "prices": self.prices.as_json(),
            "spread": self.spread.as_json(),
            "corrections": self.corrections.as_json(),
            "setting": self.setting.as_json(),
        }


def read_cascade_routing(record: Mapping[str, Any]) -> CascadeRouting:
    """Return the fitted policy that was saved; PolicyError for a damaged record."""
    try:
        rules = Rules(record["strategy"], int(record["depth"]), tuple(int(i) for i in record["order"]))
        prices, spread = prices_of_json(record["prices"]), Spread.of_json(record["spread"])
        cost, corrections = np.asarray(record["cost"], np.float64), Corrections.of_json(record["corrections"])
        return CascadeRouting(prices, rules, spread, cost, corrections, Setting(**record["setting"]))
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyError(f"a saved cascade routing: {error!r} is missing or of another form; fit it again") from error
