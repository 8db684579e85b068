"""case2fhir for ``benchmarks.peers``: extraction, or all the way to checked resources."""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from serve import serve

from pipeline.batches import extract_report
from pipeline.fhir import build_each
from pipeline.paths import FHIR_VERSIONS
from pipeline.records import Report, encode
from pipeline.sources import find_sections
from pipeline.validation.resources import checked

MAPPED = sys.argv[2] == "resources"


def read(text: str) -> Counter[str]:
    """Counts of what is found in one text."""
    report = Report(report_id="r", text=text, sections=find_sections(text))
    extraction = extract_report(report)
    encode(extraction)
    found = Counter(f"{m.type} mentions" for m in extraction.mentions if m.type in ("drug", "reaction"))
    found["negated mentions"] = sum(m.assertion == "negated" for m in extraction.mentions)
    found["other mentions (age, dose, outcome …)"] = sum(
        m.type not in ("drug", "reaction") for m in extraction.mentions
    )
    found["drug–reaction pairs in a sentence"] = len(extraction.pairs)
    found["cases"] = len(extraction.cases)
    found["drugs of cases, each once"] = sum(len(case.drugs) for case in extraction.cases)
    found["reactions of cases, each once"] = sum(len(case.reactions) for case in extraction.cases)
    found["causality assessments"] = sum(len(case.assessments) for case in extraction.cases)
    if MAPPED:
        for case in extraction.cases:
            for version, resources in build_each(case, report, FHIR_VERSIONS).items():
                found["FHIR resources, checked"] += sum(not checked(one, version).problems for one in resources)
    return found


serve(read)
