"""What questions look like before any model of a pool has answered: gathered here, fitted in ``estimators``.

gathering  of a table's questions: a local model's states, an encoder's vectors, recorded estimates, or the words
live       of one question on its way through a cascade
"""
