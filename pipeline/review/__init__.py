"""Static review pages of a published dataset: what was read from which words, and why the case was judged as it was.

Belongs here: everything from the files of a dataset (``storage.Dataset``) to HTML, SVG and the data scripts beside
them, and serving them to a reviewer.  Does not belong here: changing a dataset, Dagster, Great Expectations.

``pages``      writes the folder: ``write(dataset, folder)``
``reading``    what a page needs of a dataset, case by case
``facts``      every fact of a Case with its pointer, words and evidence
``narrative``  the text in stretches, each with the facts and mentions that lie over it
``picture``    the time line of a case as lanes, and as SVG
``index``      the compact table behind ``index.html``
``text``       untrusted text: characters that do not show, JavaScript literals
``server``     serves the pages on this machine (``review --serve``), and says who may ask
``desk``       what a reviewer can correct of a case, and storing it (``pipeline.corrections``)
``templates/``, ``static/``  Jinja templates (autoescape), and the hand-written script and style they use

**The pages** (names are owned by ``paths.ReviewPaths``) lie in ``DIR/review`` unless told otherwise: ``index.html``
with ``cases.js``, and ``cases/<2 digits>/<key>.html`` per case, ``key`` being the one that the FHIR ids of the case
begin with (``fhir.common.digest``), so that the address of a case stays the same from run to run.

**What a case page promises** to scripts that build on it (editing of facts, tests):

- ``<body data-case-id data-report-id data-case-key data-text-sha256>``; the last is the SHA-256 of
  ``reports.text`` in UTF-8, absent where the dataset does not hold the text.  The Case record itself, as published, is
  the JSON text of ``<template id="case-record">``.
- Every fact is an element ``.fact[data-fact]`` in ``#facts``: a ``div`` of a ``dl``, or a ``tr`` for Naranjo's answers;
  its value is in ``.value bdi``.  ``data-fact`` is a pointer into the Case record, without a leading slash:
  ``patient/age``, ``patient/sex``, ``patient/ethnicity``, ``patient/history/0``, ``drugs/0`` (the drug, its name),
  ``drugs/0/role``, ``drugs/0/action_taken``, ``drugs/0/indications/0``, ``drugs/0/exposures/0``, ``reactions/0`` (the
  reaction, its term), ``reactions/0/time_to_onset``, ``…/outcome``, ``…/seriousness``, ``…/treatments``,
  ``assessments/0`` (that the drug is related to the reaction), ``assessments/0/dechallenge``, ``…/rechallenge``,
  ``…/author_statement``, ``…/who_umc``, ``…/naranjo``, ``…/naranjo/items/3``, ``tests/0``.
  Facts that the text does not state are there as well, with the class ``absent``; so they can be set.
- ``data-label`` is its name for people, ``data-kind`` the kind by which it is coloured (``facts.KINDS``);
  ``data-value`` the value as it stands in the Case record where that is a string; ``data-evidence`` its spans,
  ``"529-534 1287-1298"``: code points into the text, end exclusive, absent where there is no evidence.
- Elements elsewhere (the picture, the story below it, the resources) point to a fact with ``data-for="<pointer>"``.
- The narrative is ``#narrative``; each stretch of it is a ``span[data-start]`` or ``mark[data-start]`` whose end is the
  next one's start (the last one's is ``#narrative[data-length]``).  A stretch shows its characters one to one, save for
  characters that do not show: such a one is a stretch of its own (class ``hidden-character``) that spells it out.
  ``window.case2fhirReview.selection()`` gives a selection in it as ``[start, end]`` in code points, or ``null``.
- A script finds ``#facts``, each ``.fact``, and the page header ``#case-header`` in place when it runs deferred.

**When served.** ``pages.served(page, script)`` gives the bytes of a static page with ``<script src=script defer>`` and
``connect-src 'self'`` added to its policy; a server calls it on each HTML page it sends.  Static pages have neither.
"""
