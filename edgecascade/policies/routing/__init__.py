"""What cascade routing is made of.

expected_max  E[max] of normal estimates, for all sets of models    sobol         points where no quadrature reaches
estimates     what is believed by which models have run             corrections   what the truth says of estimates
supersets     which model next, at a price
price_sweep   every price at once                                   price_search  prices that differ by step
price_curve   the price of a budget, ties mixed, with confidence    routed, pool  fitted: on arrays, and in a pool
"""
