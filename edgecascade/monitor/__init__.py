"""Is the calibration still true? Small states, one per device, that survive a restart."""

from edgecascade.monitor.adaptive import AdaptiveThreshold
from edgecascade.monitor.audited import AuditState
from edgecascade.monitor.psi import PsiState, Reference, Verdict, drift_verdict, psi, worth

__all__ = ["AdaptiveThreshold", "AuditState", "PsiState", "Reference", "Verdict", "drift_verdict", "psi", "worth"]
