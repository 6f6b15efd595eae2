"""What may be promised about the answers that are kept on this device, from a finite number of questions.

binomial      exact bounds for losses of 0 or 1
bounded       tests for losses between 0 and 1
ranked        questions in the order of their estimate, equal ones as one block
certificate   the promise, as a record and as a sentence
regret        the share of all questions at which keeping costs an answer that the cloud had right
selective     the share of wrong (or differing) answers among those kept
ladder        several promises from one sort
needed        how many questions a promise would need, and what no number of them can reach
"""
