"""Compound programs: several modules that each ask one model, and which model each of them had best ask."""
