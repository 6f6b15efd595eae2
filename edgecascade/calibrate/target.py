"""The device that a fit is for, with its costs; a file that was fitted for another one is right as well."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgecascade.calibrate.gates import Costs
from edgecascade.calibrate.table import Table
from edgecascade.errors import ProfileError
from edgecascade.policies import TierView
from edgecascade.policies.weighing import as_known
from edgecascade.profile import Profile, Weights


@dataclass(frozen=True, slots=True)
class Target:
    """The device that a fit is for, and what a user gives; a file that was fitted for another one is right as well.

    parameters, bytes  the model's size          cloud_usd, cloud_seconds  an answer of the cloud
    """

    profile: Profile
    weights: Weights
    parameters: float
    bytes: float
    cloud_usd: float
    cloud_seconds: float

    def costs(self, table: Table) -> Costs:
        """Return what answers cost there; ProfileError for a profile that says nothing of speed."""
        speed, power = self.profile.speed_of(self.parameters, self.bytes), self.profile.power
        if speed is None:
            raise ProfileError(
                f"the profile {self.profile.name} says nothing of speed: found no row of speeds, wanted one; run "
                "`edgecascade measure` on that device"
            )
        known = table.cloud[~np.isnan(table.cloud)]
        cloud = TierView(
            "cloud", "cloud", usd=self.cloud_usd, seconds=self.cloud_seconds,
            quality=float(known.mean()) if len(known) else 1.0,
            joules=power.idle.value * self.cloud_seconds if power.idle else 0.0,
        )  # fmt: skip
        weights = as_known(self.weights, powers=power.decode is not None and power.idle is not None)
        return Costs(speed, power.decode.value if power.decode else 0.0, weights, cloud)

    def as_json(self) -> dict[str, Any]:
        """Return what the fitted file notes of it."""
        given = {name: value for name, value in asdict(self.weights).items() if value}
        return {"profile": self.profile.name, "cloud_usd": self.cloud_usd, "cloud_seconds": self.cloud_seconds, **given}
