"""Runs one batch function over many record batches: on processes of this machine, later on clusters.

Belongs here: scheduling, order, and what happens when a worker dies.  Does not belong here: what a batch holds.
Every engine takes a ``Task`` and gives the results in the order of the input, so output never depends on timing.
"""
