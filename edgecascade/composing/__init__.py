"""Compound programs on real tiers: every call asked once, kept, counted; allocations tried on labelled questions."""
