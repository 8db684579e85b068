"""Hand-written cases for the FHIR tests: each a report in our own words and what is true of it."""

from pipeline.records import (
    Age,
    Article,
    Assessment,
    Case,
    Coding,
    Concept,
    CorrectionResult,
    Drug,
    Exposure,
    Naranjo,
    NaranjoItem,
    Operation,
    Patient,
    Reaction,
    Report,
    SexFact,
    Span,
    Test,
    TextFact,
)

RICH_TEXT = (
    "A 66-year-old woman with a gastrointestinal stromal tumor took imatinib 400 mg daily. After 5 weeks she had "
    "erythema multiforme. Imatinib was withdrawn and prednisolone 30 mg/d was given; the rash was gone one month "
    "later. It returned on 200 mg daily. HSV IgM was negative. We think the drug is the probable cause."
)


def at(text: str, words: str) -> list[Span]:
    start = text.index(words)
    return [(start, start + len(words))]


def rich() -> tuple[Case, Report]:
    """Two medicines, re-exposure at several doses, every kind of fact: the shape of the first imatinib letter."""
    text = RICH_TEXT
    report = Report(
        report_id="doi:10.1000/letter.1",
        text=text,
        article=Article(
            title="A rash <that> came back & again.",
            journal="Journal of Examples",
            year=2009,
            doi="10.1000/letter.1",
            pmid="12345678",
            pmcid="PMC1234567",
            authors=["A. Author", "B. Writer"],
            language="en",
        ),
    )
    case = Case(
        case_id="doi:10.1000/letter.1-1",
        report_id=report.report_id,
        patient=Patient(
            age=Age(value=66, unit="a", evidence=at(text, "66-year-old")),
            sex=SexFact(value="female", evidence=at(text, "woman")),
            ethnicity=TextFact(value="Korean"),
            history=[Concept(term="psoriasis")],
        ),
        drugs=[
            Drug(
                id="drug-1",
                name="imatinib",
                role="suspect",
                verbatim=["imatinib", "Imatinib"],
                codings=[Coding(system="http://www.whocc.no/atc", code="L01EA01", display="imatinib")],
                indications=[
                    Concept(term="gastrointestinal stromal tumor", evidence=at(text, "gastrointestinal stromal tumor"))
                ],
                exposures=[
                    Exposure(
                        dose=400,
                        unit="mg",
                        per="d",
                        route="oral",
                        duration="P5W",
                        verbatim="400 mg daily",
                        evidence=at(text, "400 mg daily"),
                    ),
                    Exposure(dose=100, unit="mg", per="d", duration="P2M", re_exposure=True, recurrence=False),
                    Exposure(
                        dose=200,
                        unit="mg",
                        per="d",
                        start="P4M",
                        re_exposure=True,
                        recurrence=True,
                        evidence=at(text, "200 mg daily"),
                    ),
                    Exposure(
                        dose=100,
                        dose_high=200,
                        unit="mg",
                        per="d",
                        duration="P5M",
                        re_exposure=True,
                        with_=["drug-2"],
                        start="2008-03",
                    ),
                ],
                action_taken="withdrawn",
                evidence=at(text, "imatinib"),
                facts={"action_taken": at(text, "withdrawn")},
            ),
            Drug(
                id="drug-2",
                name="prednisolone",
                role="treatment",
                exposures=[Exposure(dose=30, unit="mg", per="d", evidence=at(text, "30 mg/d"))],
            ),
        ],
        reactions=[
            Reaction(
                id="reaction-1",
                term="erythema multiforme",
                verbatim=["EM", "rash"],
                time_to_onset="P5W",
                outcome="recovered",
                seriousness=["other_medically_important"],
                treatments=["drug-2"],
                evidence=at(text, "erythema multiforme"),
                facts={"time_to_onset": at(text, "After 5 weeks"), "outcome": at(text, "the rash was gone")},
            )
        ],
        assessments=[
            Assessment(
                drug="drug-1",
                reaction="reaction-1",
                dechallenge="positive",
                rechallenge="positive",
                author_statement="probable",
                author_method="Naranjo",
                author_score=8,
                naranjo=Naranjo(
                    score=8,
                    category="probable",
                    items={
                        str(i): NaranjoItem(answer="yes" if i in (1, 2) else "unknown", score=int(i < 3))
                        for i in range(1, 11)
                    },
                ),
                who_umc="probable",
                facts={
                    "dechallenge": at(text, "the rash was gone one month later"),
                    "rechallenge": at(text, "It returned on 200 mg daily"),
                    "author_statement": at(text, "the probable cause"),
                },
            )
        ],
        tests=[Test(name="HSV IgM", result="negative", evidence=at(text, "HSV IgM was negative"))],
    )
    return case, report


def minimal() -> tuple[Case, Report]:
    report = Report(report_id="r1", text="Rash after aspirin.")
    case = Case(
        case_id="r1-1",
        report_id="r1",
        drugs=[Drug(id="drug-1", name="aspirin", role="suspect")],
        reactions=[Reaction(id="reaction-1", term="rash")],
    )
    return case, report


def hostile() -> tuple[Case, Report]:
    """Text that tries to break out of XML, JSON and FHIR's own rules."""
    bad = "<script>alert('x')</script>\x00\x0b\ud800 &amp; \"q\" \ufffe"
    report = Report(
        report_id="a/b c\x00\n<id>" + "x" * 200,
        text=bad + " after  drug",
        article=Article(title=bad, authors=["  ", bad], doi=" ", year=12, language="english"),
    )
    case = Case(
        case_id=report.report_id + "-1",
        report_id=report.report_id,
        patient=Patient(age=Age(value=float("nan"), unit="a"), ethnicity=TextFact(value="\x00")),
        drugs=[
            Drug(
                id="drug-1",
                name=bad,
                role="suspect",
                verbatim=["", " ", bad],
                codings=[Coding(system="not a uri", code="x"), Coding(system="http://example.org/s", code="  ")],
                indications=[Concept(term=" \x00 ")],
                exposures=[
                    Exposure(dose=float("inf"), unit="mg", per="sometimes", route=" ", start="2008-13", duration="5 W"),
                    Exposure(dose=2, unit="horse <b>pills</b>", start="P", evidence=[(5, 5), (7, 3), (-1, 2)]),
                ],
            ),
            Drug(id="2", name="\x00", role="concomitant"),
        ],
        reactions=[Reaction(id="r", term="\x01", verbatim=["\x02"], time_to_onset="P", outcome="unknown")],
        assessments=[Assessment(drug="drug-1", reaction="r", author_statement=" ", author_method="\x00")],
        tests=[Test(name="\x00")],
    )
    return case, report


def several_reactions() -> tuple[Case, Report]:
    """Three reactions with outcomes of their own, two suspects that interact, a restart that went well."""
    report = Report(report_id="pmid:1", text="Text of a report.", article=Article(pmid="1", language="eng"))
    drugs = [
        Drug(id="drug-1", name="imatinib", role="suspect", action_taken="interrupted", exposures=[Exposure()]),
        Drug(id="drug-2", name="warfarin", role="interacting", action_taken="reduced"),
        Drug(id="drug-3", name="metformin", role="concomitant"),
        Drug(id="drug-4", name="calcipotriol", role="past"),
    ]
    reactions = [
        Reaction(id="reaction-1", term="hand-foot syndrome", outcome="recovering", time_to_onset="P2M"),
        Reaction(id="reaction-2", term="psoriasis", outcome="recovered_with_sequelae", treatments=["drug-4"]),
        Reaction(id="reaction-3", term="nail dystrophy", outcome="not_recovered", seriousness=["disability"]),
    ]
    assessments = [
        Assessment(drug="drug-1", reaction="reaction-1", dechallenge="negative", rechallenge="not_done"),
        Assessment(
            drug="drug-2",
            reaction="reaction-1",
            dechallenge="not_done",
            author_statement="Possible",
            author_method="WHO-UMC",
        ),
        Assessment(drug="drug-1", reaction="reaction-2", rechallenge="negative", who_umc="certain"),
    ]
    case = Case(case_id="pmid:1-2", report_id="pmid:1", drugs=drugs, reactions=reactions, assessments=assessments)
    return case, report


def fatal() -> tuple[Case, Report]:
    report = Report(report_id="f", text="He died.")
    case = Case(
        case_id="f-1",
        report_id="f",
        patient=Patient(sex=SexFact(value="male"), age=Age(value=3, unit="mo")),
        drugs=[Drug(id="drug-1", name="colistin", role="suspect", action_taken="not_applicable")],
        reactions=[
            Reaction(
                id="reaction-1",
                term="cardiac arrest",
                outcome="fatal",
                time_to_onset="PT1H30M",
                seriousness=["death", "life_threatening", "hospitalization", "congenital_anomaly"],
            )
        ],
        assessments=[Assessment(drug="drug-1", reaction="reaction-1", dechallenge="not_applicable")],
    )
    return case, report


def doses() -> tuple[Case, Report]:
    """Every form of dose: ranges, per weight, rates, uncoded units, intervals, cumulative."""
    report = Report(report_id="d", text="Doses.")
    exposures = [
        Exposure(dose=100, dose_high=200, unit="mg", per="12.h", duration="P1Y6M"),
        Exposure(dose=1.5, unit="mg/kg", per="8.h", duration="P1M2W"),
        Exposure(dose=0.5, unit="ug/kg/min", per=None, duration="PT90M"),
        Exposure(dose=2, unit="{tablet}", per="wk", start="-P3D"),
        Exposure(dose=3, unit="puffs", per="0.5.d", start="P0D"),
        Exposure(dose=50000, unit="[IU]", start="2010"),
        Exposure(dose=300, unit="mg/m2", cumulative=True, start="2010-05-06T10:00:00"),
        Exposure(dose=20, dose_high=10, unit="mg"),
        Exposure(dose=5),
        Exposure(route="intravenous"),
    ]
    case = Case(
        case_id="d-1",
        report_id="d",
        drugs=[Drug(id="drug-1", name="drug", role="past", exposures=exposures)],
        reactions=[Reaction(id="reaction-1", term="rash")],
    )
    return case, report


def no_suspect() -> tuple[Case, Report]:
    report = Report(report_id="n", text="")
    reaction = Reaction(id="reaction-1", term="rash", time_to_onset="P1D", treatments=["drug-1"])
    drugs = [Drug(id="drug-1", name="cetirizine", role="treatment")]
    return Case(case_id="n-1", report_id="n", drugs=drugs, reactions=[reaction]), report


def no_reaction() -> tuple[Case, Report]:
    report = Report(report_id="q", text="Well tolerated.")
    patient = Patient(age=Age(value=40, unit="a"))
    drugs = [Drug(id="drug-1", name="aspirin", role="concomitant")]
    return Case(case_id="q-1", report_id="q", patient=patient, drugs=drugs), report


def corrected() -> tuple[Case, Report]:
    """The rich case after a person accepted, changed and removed facts of it."""
    case, report = rich()
    about: list[tuple[Operation, str | None]] = [
        ("accept", "reactions/0/outcome"),
        ("change", "drugs/0/role"),
        ("reject", None),
    ]
    case.corrections = [
        CorrectionResult(
            correction=f"c{n}",
            operation=operation,
            by="R. <Reviewer>",
            at="2026-11-21T19:05:00Z",
            why="a & b\n",
            fact=fact,
        )
        for n, (operation, fact) in enumerate(about)
    ]
    return case, report


SAMPLES = {
    "rich": rich,
    "minimal": minimal,
    "hostile": hostile,
    "several_reactions": several_reactions,
    "fatal": fatal,
    "doses": doses,
    "no_suspect": no_suspect,
    "no_reaction": no_reaction,
    "corrected": corrected,
}
