"""An answer from the device where it can be trusted, and from a cloud where it cannot.

cascade     ``Cascade``, the object that an app embeds        assembling  from the config to one
asking      the way of one question, in a straight line       setup       what all questions share
running     one tier's attempt, with its gates                gating      a fitted file's gates at work
calling     one call to a cloud: cleared, and booked          booking     what calls may cost, and have cost
hedging     a tier that answers in the background             screen      what the user sees meanwhile
recording   an answer as the ledger keeps it                  background  what nobody waits for
afterwards  audits and shadows                                waiting     questions that wait for a cloud
costing     what each tier is expected to take        ceilings    of time and money, as prices
tiers       the model in this process, and a cloud            served      a server as the device's model
"""
