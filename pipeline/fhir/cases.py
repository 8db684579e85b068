"""One case → its resources."""

from collections.abc import Hashable, Sequence

from pipeline.fhir import common, r4, r5
from pipeline.fhir.settings import Options, Resource, Version
from pipeline.records import Case, Report

_VERSIONS = {"R4": r4, "R5": r5}
_DEFAULTS = Options()


def build(case: Case, report: Report, version: Version, *, options: Options = _DEFAULTS) -> list[Resource]:
    """The resources of one case in dependency order (``ORDER``), as plain dicts; the same bytes every time.

    R4 output is valid in R4 and R4B.  A case without reactions gives no AdverseEvent; a case that holds no drug, no
    reaction and no history gives nothing at all.  Raises ``ValueError`` if the case is not of this report.
    """
    return build_each(case, report, (version,), options=options)[version]


def build_each(
    case: Case, report: Report, versions: Sequence[Version], *, options: Options = _DEFAULTS
) -> dict[Version, list[Resource]]:
    """``build`` for each of several versions, which share objects where they do not differ."""
    shared: dict[Hashable, Resource] = {}
    return {version: _build(common.Scope(case, report, version, options, shared)) for version in versions}


def _build(scope: common.Scope) -> list[Resource]:
    case, report = scope.case, scope.report
    if case.report_id != report.report_id:
        raise ValueError(f"case {case.case_id!r} belongs to report {case.report_id!r}, not to {report.report_id!r}")
    if not (case.drugs or case.reactions or case.patient.history):
        return []
    shape = _VERSIONS[scope.version]
    conditions = [common.reaction_condition(scope, r, i) for i, r in enumerate(case.reactions, 1)]
    history = [common.history_condition(scope, entry, i) for i, entry in enumerate(case.patient.history, 1)]
    statements = [
        shape.medication_statement(scope, drug, position, index)
        for position, drug in enumerate(case.drugs, 1)
        for index in range(max(len(drug.exposures), 1))
    ]
    events = [
        shape.adverse_event(scope, reaction, i, condition, history)
        for i, (reaction, condition) in enumerate(zip(case.reactions, conditions, strict=True), 1)
    ]
    made = [scope.once("patient", lambda _: common.patient(scope)), *conditions, *history, *statements, *events]
    return [
        scope.once("document", lambda _: common.document(scope)),
        *made,
        common.provenance(scope, made),
        *common.verifications(scope, made),
    ]
