"""case2fhir: narrative reports of adverse drug reactions in, a validated FHIR dataset out.

Data flows one way, and the folders say so: ``sources`` → ``extraction`` → ``assessment`` → ``fhir`` →
``validation`` → ``storage``.  ``records`` is the contract between them; ``orchestration`` is the only Dagster code
and ``validation`` the only place that imports Great Expectations.
"""

__version__ = "0.1.0"
