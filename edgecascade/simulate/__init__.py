"""Recorded answers played again under any profile, through the policy that runs live."""
