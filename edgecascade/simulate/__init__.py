"""Recorded answers played again under any profile, through the policy that runs live.

rows       what is known of an answer               playing    what becomes of it in a scene, in virtual time
solving    ceilings as prices                       comparing  the cascade of a device beside the cloud alone
side_by_side  many devices, the best first          page       the same as a page
"""
