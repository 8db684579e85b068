"""Hand-made cases and datasets for the tests of the review pages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from pipeline import fhir
from pipeline.paths import FHIR_VERSIONS, DatasetPaths
from pipeline.records import (
    Article,
    Assessment,
    Case,
    Concept,
    Drug,
    Exposure,
    Extraction,
    Mention,
    Patient,
    Reaction,
    Refused,
    Report,
    Section,
    Source,
    Span,
    TextFact,
)
from pipeline.review.reading import Material
from pipeline.storage import CaseResources, Staging, publish
from pipeline.validation.resources import checked
from tests.unit.fhir.fhir_samples import rich

ATTACKS = (
    "<script>window.attacked=1</script>",
    "</script><script>window.attacked=1</script>",
    "<img src=x onerror=window.attacked=1>",
    '"><svg onload=window.attacked=1>',
    "' onmouseover='window.attacked=1",
    "{{ 7*7 }}{% raw %}",
    "</template></textarea></title></style><script>window.attacked=1</script>",
    "<!--",
    "]]>",
    "javascript:window.attacked=1",
    "\u202eevil\u202c \u2066x\u2069 \u200f",
    "line\u2028separator\u2029end",
    "nul\x00 bell\x07 escape\x1b",
    "__proto__",
    "<base href=//example.org/><link rel=stylesheet href=//example.org/x.css>",
    '<meta http-equiv="refresh" content="0;url=//example.org/">',
    "&lt;already&gt; &amp;amp; &#60;",
)
"""What a report may try: tags, attributes, ends of elements and scripts, templates, controls, prototype, references."""
ATTACK = " ".join(ATTACKS)


def mention(text: str, words: str, **more: Any) -> Mention:
    start = text.index(words)
    return Mention(type=more.pop("type", "reaction"), text=words, start=start, end=start + len(words), **more)


def rich_material(**more: Any) -> Material:
    """The case of ``fhir_samples.rich`` with its resources and some mentions."""
    case, report = rich()
    text = report.text
    mentions = [
        mention(text, "imatinib", type="drug"),
        mention(text, "HSV IgM was negative", type="test", assertion="negated"),
        mention(text, "prednisolone", type="drug", assertion="literature"),
        mention(text, "the drug", type="drug"),
    ]
    resources = {version: fhir.build(case, report, version) for version in FHIR_VERSIONS}
    return Material(case, text, resources, report.sections, mentions, report.article, report.source, **more)


def hostile() -> tuple[Case, Report, list[Mention]]:
    """A case whose every text is an attack, and whose facts lie over it in all ways."""
    text = f"A woman took {ATTACK} daily. Then {ATTACK} came, and went."
    whole: Span = (0, len(text))
    report = Report(
        report_id='r<1>"&\u202e' + ATTACKS[0],
        text=text,
        sections=[Section(kind="case", start=0, end=20, title=ATTACK), Section(kind="body", start=20, end=len(text))],
        article=Article(title=ATTACK, journal=ATTACKS[2], doi=ATTACKS[3], pmid=ATTACKS[9]),
        source=Source(path=ATTACKS[3], format="text", member=ATTACKS[1]),
    )
    case = Case(
        case_id=report.report_id + "-1",
        report_id=report.report_id,
        patient=Patient(
            ethnicity=TextFact(value=ATTACK, evidence=[(2, 40)]), history=[Concept(term=ATTACK, evidence=[(13, 300)])]
        ),
        drugs=[
            Drug(
                id="drug-1",
                name=ATTACK,
                role="suspect",
                verbatim=[ATTACKS[0], ATTACKS[3]],
                exposures=[Exposure(dose=1, unit=ATTACKS[2], per=ATTACKS[4], route=ATTACKS[3], verbatim=ATTACK)],
                action_taken="withdrawn",
                evidence=[(13, 13 + len(ATTACK)), whole],
                facts={"role": [(0, 9), (5, 60)], "action_taken": [(20, 33)]},
            )
        ],
        reactions=[
            Reaction(
                id="reaction-1",
                term=ATTACKS[6],
                verbatim=list(ATTACKS),
                time_to_onset=ATTACKS[1],
                outcome="recovered",
                evidence=[(30, 90), (60, 200)],
            )
        ],
        assessments=[
            Assessment(
                drug="drug-1",
                reaction="reaction-1",
                dechallenge="positive",
                rechallenge="positive",
                author_statement=ATTACKS[3],
                author_method=ATTACKS[0],
            )
        ],
    )
    return case, report, [mention(text, ATTACKS[2], assertion="negated", type="drug")]


def harmless(number: int) -> tuple[Case, Report, list[Mention]]:
    """``rich`` with ids of its own."""
    case, report = rich()
    named = msgspec.structs.replace(report, report_id=f"report-{number}")
    return msgspec.structs.replace(case, case_id=f"report-{number}-1", report_id=named.report_id), named, []


def make_dataset(
    root: Path,
    cases: Sequence[tuple[Case, Report, list[Mention]]],
    *,
    withheld: Sequence[Refused] = (),
    results: Sequence[dict[str, Any]] = (),
) -> Path:
    """Publish ``cases``, one a report, less what ``withheld`` names; ``results`` are suites of ``results.json``."""
    staging = Staging(DatasetPaths(root))
    held = {report.report_id: (case, report, mentions) for case, report, mentions in cases}
    plan = staging.spool(report for _, report, _ in cases)
    for shard in plan.made:
        here = [held[report.report_id] for report in staging.reports(shard)]
        staging.write_refused("validation", shard, withheld)
        staging.write_extractions(
            shard, [Extraction(id=r.report_id, mentions=mentions, cases=[case]) for case, r, mentions in here]
        )
        staging.write_resources(
            shard,
            FHIR_VERSIONS,
            [
                {
                    version: CaseResources(
                        case_id=case.case_id,
                        report_id=report.report_id,
                        resources=[checked(resource, version) for resource in fhir.build(case, report, version)],
                    )
                    for version in FHIR_VERSIONS
                }
                for case, report, _ in here
            ],
        )
    publish(
        DatasetPaths(root),
        profiles={"R4": [], "R5": []},
        validation={"success": not results, "suites": list(results)},
    )
    return root
