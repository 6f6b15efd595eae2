"""Policies of a pool on a table of recorded results: fitted on one part, played on the rest, several times over.

splitting   which rows are fitted on, which are played             attaching  recorded attempts, as one more model
trials      one policy on one split                                intervals  what the splits allow to be said
comparing   against the random mix of single models and the threshold cascade, at equal cost
evaluating  all of it, in order                                    results    what comes out, as records and in words
notices     what must be said beside the figures                   threads    one for a fit
streaming   the same questions as a stream, with a deadline
page, charts  the same to look at                                  saving     a policy fitted on all rows, for live use
"""
