"""Questions to attempts to a fitted file to a report: how p_correct becomes true for a model on a device."""
