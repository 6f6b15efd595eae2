"""MixLLM, arXiv:2502.18482: one model a query, chosen by predicted quality, price, doubt and the queue before it.

mixed    what is chosen, and what it becomes with feedback    context  what is made of a query: domains
arms     quality, length and doubt of one model               liked    yes or no, as the paper learns from it
rows     the training questions that a price is chosen on
"""

from edgecascade.policies.mixllm.mixed import FITS, Mixed, MixPolicy, Weights, fit, of_json

__all__ = ["FITS", "MixPolicy", "Mixed", "Weights", "fit", "of_json"]
