"""Checks of what the pipeline made: FHIR models and rules per resource, expectation suites per table.

``resources`` checks one resource, ``frames`` turns a shard into the data frames that the suites look at, ``suites``
runs them (the only module that imports Great Expectations, inside its functions), ``quarantine`` says what is withheld.
"""
