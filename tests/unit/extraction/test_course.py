"""The course of a case: dechallenge, rechallenge, action taken and outcome, told in the words reports use."""

import pytest

from pipeline.extraction import course
from pipeline.extraction.course import Course
from pipeline.records import Evidence, Outcome
from tests.unit.extraction.story import events_of as story

DRUG = "imatinib"
REACTION = "rash"
OPENING = "A 60-year-old woman was treated with imatinib for psoriasis. After two weeks she developed a rash. "


def told(text: str, others: set[str] = frozenset()) -> Course:  # type: ignore[assignment]
    return course.course(story(OPENING + text), {DRUG}, {REACTION}, others)


def ended(text: str) -> tuple[Outcome, Evidence]:
    return course.outcome(story(OPENING + text), {REACTION}, frozenset())


DECHALLENGES = [
    # stopped or reduced, then better
    ("Imatinib was discontinued and the rash resolved.", "positive"),
    ("We stopped imatinib; within a week the lesions had cleared.", "positive"),
    ("Two days after withdrawal of the drug her skin returned to normal.", "positive"),
    ("The rash subsided on withdrawal of imatinib.", "positive"),
    ("The eruption faded after stopping imatinib.", "positive"),
    ("While off imatinib, she saw the rash improve. It then resolved.", "positive"),
    ("All medications were withheld. She recovered uneventfully.", "positive"),
    ("The offending agent was removed, with complete resolution of the rash.", "positive"),
    ("Imatinib was replaced by nilotinib and the rash disappeared.", "positive"),
    ("She was switched from imatinib to nilotinib. The skin lesions healed.", "positive"),
    ("The rash resolved with dose reduction.", "positive"),
    ("The dose of imatinib was halved and the rash improved.", "positive"),
    ("The rash persisted until imatinib was discontinued.", "positive"),
    ("Imatinib was stopped and prednisone was started, after which the rash resolved.", "positive"),
    ("Imatinib, which had been well tolerated before, was stopped. The rash abated.", "positive"),
    ("It was stopped at once. The rash vanished.", "positive"),
    ("The rash resolved with emollients, antihistamines, and cessation of imatinib.", "positive"),
    ("Recovery followed cessation of imatinib.", "positive"),
    ("She was weaned off imatinib and the rash cleared.", "positive"),
    ("No further imatinib was given and the rash faded.", "positive"),
    ("The antineoplastic agents were stopped. The lesions healed.", "positive"),
    ("After tapering of imatinib the rash cleared.", "positive"),
    ("She was treated by withdrawing imatinib and the rash cleared.", "positive"),
    ("She recovered with cessation of imatinib.", "positive"),
    ("A change of medication to nilotinib without imatinib resolved the rash.", "positive"),
    ("She was followed without further imatinib, and the rash faded.", "positive"),
    # stopped, not better
    ("Despite discontinuation of imatinib the rash worsened.", "negative"),
    ("Imatinib was stopped, but the rash persisted.", "negative"),
    ("Imatinib was stopped. Her general condition improved, whereas the rash persisted.", "negative"),
    ("After withdrawal of imatinib the rash did not improve.", "negative"),
    ("Imatinib was discontinued without improvement of the rash.", "negative"),
    ("Although imatinib was stopped, the rash worsened. Ciclosporin was given and it resolved.", "negative"),
    ("Stopping imatinib had no effect on the rash.", "negative"),
    ("Symptoms persisted weeks after withholding medications.", "negative"),
    # not stopped
    ("Imatinib was continued and the rash resolved.", "not_done"),
    ("The rash resolved without discontinuation of imatinib.", "not_done"),
    ("Imatinib was not discontinued.", "not_done"),
    ("The rash resolved although therapy with imatinib continued.", "not_done"),
    ("No change was made to the dose of imatinib.", "not_done"),
    # not told
    ("Imatinib was ceased.", "unknown"),
    ("The rash resolved after treatment with prednisone.", "unknown"),
    ("Imatinib should be discontinued when a rash occurs.", "unknown"),
    ("Mechanical ventilation was discontinued and she improved.", "unknown"),
    ("Prednisone was stopped and the rash resolved.", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), DECHALLENGES, ids=[text for text, _ in DECHALLENGES])
def test_dechallenge(text: str, expected: str) -> None:
    assert told(text).dechallenge == expected


STOPPED = "Imatinib was stopped and the rash resolved. "
RECHALLENGES = [
    ("Imatinib was restarted and the rash recurred.", "positive"),
    ("The rash reappeared on reintroduction of imatinib.", "positive"),
    ("On rechallenge with imatinib the same rash appeared again.", "positive"),
    ("Relapse of the rash occurred after resumption of the drug.", "positive"),
    ("When she took imatinib again, the rash recurred within hours.", "positive"),
    ("Rechallenge was positive.", "positive"),
    ("The drug was resumed at a lower dose without recurrence, but at the full dose the rash recurred.", "positive"),
    ("The rash recurred whenever she received imatinib.", "positive"),
    ("After reintroduction of imatinib she developed an identical eruption.", "positive"),
    ("The reaction was provoked by rechallenge.", "positive"),
    ("The diagnosis was confirmed by an oral challenge with imatinib.", "positive"),
    ("It was resumed, and within hours the rash was back.", "positive"),
    ("She took another tablet and the rash came back.", "positive"),
    ("Attempts to resume imatinib led to recurrence of the rash.", "positive"),
    ("A month later she was treated with imatinib once, and the rash recurred.", "positive"),
    ("Imatinib was resumed without recurrence of the rash.", "negative"),
    ("Re-exposure to imatinib was well tolerated.", "negative"),
    ("A month later imatinib was reintroduced. The rash did not recur.", "negative"),
    ("She was later rechallenged with imatinib without incident.", "negative"),
    ("She tolerated reintroduction of imatinib.", "negative"),
    ("A challenge with imatinib was negative.", "negative"),
    ("She has since resumed imatinib with no further rash.", "negative"),
    ("After resumption of imatinib a recurrence has not been observed.", "negative"),
    ("Imatinib was reintroduced for seven months without rash recurrence.", "negative"),
    ("No imatinib rechallenge was attempted.", "not_done"),
    ("Re-exposure was planned.", "not_done"),
    ("Rechallenge was not performed.", "not_done"),
    ("She refused rechallenge.", "not_done"),
    ("She was discharged the next day.", "not_done"),
    ("Feeding was resumed.", "not_done"),
    ("Nilotinib was started without recurrence of the rash.", "not_done"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), RECHALLENGES, ids=[text for text, _ in RECHALLENGES])
def test_rechallenge(text: str, expected: str) -> None:
    assert told(STOPPED + text).rechallenge == expected


def test_what_begins_at_a_second_course_did_not_come_back() -> None:
    text = "A man was given imatinib. After the second course of imatinib he developed a rash."
    result = course.course(story(text), {DRUG}, {REACTION})
    assert (result.dechallenge, result.rechallenge) == ("unknown", "unknown")


def test_no_rechallenge_is_known_where_no_stop_is_told() -> None:
    assert told("The rash resolved with emollients.").rechallenge == "unknown"


ACTIONS = [
    ("Imatinib was discontinued.", "withdrawn"),
    ("Imatinib therapy had to be stopped.", "withdrawn"),
    ("This led to discontinuation of imatinib.", "withdrawn"),
    ("Imatinib was substituted by nilotinib.", "withdrawn"),
    ("Treatment was switched to nilotinib.", "withdrawn"),
    ("The dose of imatinib was reduced to 200 mg.", "reduced"),
    ("Imatinib was withheld for a week and then resumed.", "interrupted"),
    ("Imatinib was stopped. Oral challenge with imatinib reproduced the rash.", "withdrawn"),
    ("Imatinib was stopped, restarted, and stopped again.", "withdrawn"),
    ("The rash prompted withdrawal of imatinib.", "withdrawn"),
    ("She was advised to stop imatinib.", "withdrawn"),
    ("Imatinib was never restarted.", "withdrawn"),
    ("She was given half the dose of imatinib.", "reduced"),
    ("Nilotinib was stopped while other drugs were continued.", "unchanged"),
    ("Imatinib was continued unchanged.", "unchanged"),
    ("Neither event necessitated discontinuation of imatinib.", "unchanged"),
    ("The rash stopped spreading.", "unknown"),
    ("She received prednisone.", "unknown"),
    ("Imatinib caused pain relief and was discontinued after four years.", "withdrawn"),
    ("The decision to stop imatinib was taken.", "withdrawn"),
    ("Imatinib was stopped. The rash resolved, and we re-initiated imatinib 30 days after cessation.", "interrupted"),
    ("She continued to tolerate imatinib.", "unchanged"),
    ("The block was given before needle withdrawal.", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ACTIONS, ids=[text for text, _ in ACTIONS])
def test_action_taken(text: str, expected: str) -> None:
    assert told(text).action == expected


@pytest.mark.parametrize(
    "text",
    [
        "A man developed a rash after a single dose of imatinib.",
        "A man developed a rash after a single 400 mg dose of imatinib.",
        "A man developed a rash after an imatinib overdose.",
        "A man took imatinib and developed a rash. It was noted one day after the overdose.",
    ],
)
def test_what_is_given_once_cannot_be_stopped(text: str) -> None:
    result = course.course(story(text), {DRUG}, {REACTION})
    assert (result.action, result.dechallenge, result.rechallenge) == ("not_applicable", "not_applicable", "not_done")


OUTCOMES = [
    ("The rash resolved.", "recovered"),
    ("She made an uneventful recovery.", "recovered"),
    ("The rash completely disappeared within ten days.", "recovered"),
    ("Her symptoms improved and then resolved completely.", "recovered"),
    ("Liver enzymes returned to normal.", "recovering"),
    ("She was discharged. At follow-up she was asymptomatic.", "recovered"),
    ("The rash improved. There was no recurrence.", "recovered"),
    ("There was a quick resolution of the rash.", "recovered"),
    ("The rash was reversed by ciclosporin.", "recovered"),
    ("The itching stopped within two days.", "recovering"),
    ("She became free of lesions.", "recovered"),
    ("She has been well since.", "recovered"),
    ("Two weeks later the skin was normal.", "recovered"),
    ("The swelling subsided.", "recovering"),
    ("She was discharged symptom-free.", "recovered"),
    ("Biopsy showed dermatitis 20 U/L. The patient totally recovered within 29 days.", "recovered"),
    ("There were no lesions. Her vision returned.", "recovering"),
    ("Prednisone brought a full and rapid remission of the rash.", "recovered"),
    ("After that this reaction ceased.", "recovered"),
    ("She gradually recovered.", "recovered"),
    ("The pain was abolished.", "recovering"),
    ("The rash progressively reverted.", "recovered"),
    ("This led the patient to achieve a full recovery.", "recovered"),
    ("There was complete improvement.", "recovered"),
    ("Dialysis was followed by return of normal kidney function.", "recovered"),
    ("She returned without any complaints.", "recovered"),
    ("Recovery was partial.", "recovering"),
    ("She is regaining independent gait.", "recovering"),
    ("She recovered except for mild weakness.", "recovered_with_sequelae"),
    ("She recovered, although initially deteriorating.", "recovered"),
    ("She initially improved but eventually died.", "fatal"),
    ("The enzymes were near normalized.", "recovering"),
    ("The further clinical course was favourable.", "recovering"),
    ("LVEF increased to 50%.", "recovering"),
    ("Her rash gradually improved.", "recovering"),
    ("She was discharged in stable condition.", "recovering"),
    ("There was partial resolution of the rash.", "recovering"),
    ("The outcome was favourable.", "recovering"),
    ("The rash had almost completely disappeared.", "recovering"),
    ("She experienced a decrease in pruritus.", "recovering"),
    ("Transaminase levels fell.", "recovering"),
    ("The platelet count rose.", "recovering"),
    ("Only mild redness persisted.", "recovering"),
    ("The lesions became less pronounced.", "recovering"),
    ("The rash improved, and there was no recurrence of headache.", "recovering"),
    ("The rash did not improve.", "not_recovered"),
    ("The rash persisted.", "not_recovered"),
    ("She was discharged, but the rash persisted.", "not_recovered"),
    ("The rash spread despite treatment.", "not_recovered"),
    ("Symptoms have continued for two years.", "not_recovered"),
    ("The other findings remained.", "not_recovered"),
    ("There was no visual recovery.", "not_recovered"),
    ("Her headache resolved. However, her rash was persistent.", "not_recovered"),
    ("The rash persisted until death, 28 months later, from lung cancer.", "not_recovered"),
    ("Her skin did not heal.", "not_recovered"),
    ("The rash resolved leaving hyperpigmentation.", "recovered_with_sequelae"),
    ("The rash healed with scarring.", "recovered_with_sequelae"),
    ("She was left with residual weakness.", "recovered_with_sequelae"),
    ("She recovered without sequelae.", "recovered"),
    ("She died of multiorgan failure.", "fatal"),
    ("The patient died on day 5.", "fatal"),
    ("The outcome was fatal.", "fatal"),
    ("After a short-term improvement she died of the rash.", "fatal"),
    ("She initially had clinical improvement but eventually died.", "fatal"),
    ("The rash was successfully treated with prednisone.", "recovered"),
    ("She returned after a month without any complaints.", "recovered"),
    ("There was partial remission of the rash.", "recovering"),
    ("The rash was not responding to prednisone.", "not_recovered"),
    ("She had no other complaints.", "unknown"),
    ("She had no complaints. The rash worsened and she died of it.", "fatal"),
    ("A month later she had no complaints.", "recovered"),
    ("She had been successfully treated for tuberculosis in childhood.", "unknown"),
    ("The rash resolved. She died 3 weeks after resolution of the rash from a stroke.", "recovered"),
    ("The rash resolved. She died two years later of lung cancer.", "recovered"),
    ("Her disease progressed and she finally died.", "unknown"),
    ("She died eight months later.", "unknown"),
    ("She deteriorated, there was little hope for recovery, and she died.", "fatal"),
    ("Years ago she had a similar rash, which had resolved.", "unknown"),
    ("Complete recovery is usual.", "unknown"),
    ("The platelets fell.", "unknown"),
    ("There was a drop in haemoglobin.", "unknown"),
    ("She had fatigue, decreased muscle strength and headache.", "unknown"),
    ("The international normalized ratio was 3.", "unknown"),
    ("This came after otherwise successful treatment with imatinib.", "unknown"),
    ("No further deterioration of renal function was detected.", "unknown"),
    ("The dyspnoea was exacerbated by exertion.", "unknown"),
    ("She had a headache and stopped the drug.", "unknown"),
    ("Her performance status improved.", "unknown"),
    ("She returned to the clinic.", "unknown"),
    ("Such a rash is a potentially fatal complication.", "unknown"),
    ("Her psoriasis improved.", "unknown"),
    ("The tumor regressed.", "unknown"),
    ("Treatment was given to achieve resolution.", "unknown"),
    ("Prednisone was started.", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), OUTCOMES, ids=[text for text, _ in OUTCOMES])
def test_outcome(text: str, expected: str) -> None:
    assert ended(text)[0] == expected


def test_improvement_told_before_the_reaction_is_that_of_the_illness() -> None:
    text = "A man took imatinib for leukemia. His symptoms improved. Later he developed a rash."
    assert course.outcome(story(text), {REACTION}, frozenset())[0] == "unknown"


def test_what_happens_to_another_reaction_does_not_count() -> None:
    text = OPENING + "She also had hepatitis. Imatinib was stopped and the hepatitis resolved."
    assert course.outcome(story(text), {REACTION}, {"hepatitis"})[0] == "unknown"


def test_the_onset_of_another_reaction_does_not_begin_the_course_of_this_one() -> None:
    text = "A man took imatinib and developed nausea. He was stabilized. Years later, a rash was seen."
    assert course.outcome(story(text), {"nausea"}, {REACTION})[0] == "recovering"
    assert course.outcome(story(text), {REACTION}, {"nausea"})[0] == "unknown"


def test_the_finding_of_another_organ_is_no_recovery() -> None:
    text = "A man took imatinib and developed cardiomyopathy. Liver function returned to normal."
    assert course.outcome(story(text), {"cardiomyopathy"}, frozenset())[0] == "unknown"
    assert course.outcome(story(text), {"hepatitis"}, frozenset())[0] == "recovered"
    assert course.outcome(story(text), {"drug reaction"}, frozenset())[0] == "recovering"


def test_what_resolves_beside_the_reaction_is_only_a_part_of_it() -> None:
    assert ended("The dyspnea resolved.")[0] == "recovering"
    assert ended("She became free of complaints, dyspnea and fever.")[0] == "recovered"
    assert ended("The rash resolved in two weeks with mild hyperpigmentation.")[0] == "recovered"
    assert ended("The toxicity resolved.")[0] == "recovered"
    assert ended("There was complete remission of symptoms, dyspnea and fever.")[0] == "recovered"


def test_a_death_is_told_of_its_cause() -> None:
    text = "A man took imatinib but he died on day 17 due to a severe tumor lysis syndrome."
    assert course.outcome(story(text), {"tumor lysis syndrome"}, frozenset())[0] == "fatal"
    text = "A man took imatinib and had a rash and a hepatitis. He died of hepatitis."
    assert course.outcome(story(text), {"rash"}, {"hepatitis"})[0] == "unknown"


def test_a_function_that_is_ill_by_its_name_does_not_return_to_health() -> None:
    text = "A man took imatinib and developed altered mental status. The altered mental status returned."
    assert course.outcome(story(text), {"altered mental status"}, frozenset())[0] == "unknown"


def test_the_drug_that_replaces_another_is_not_stopped() -> None:
    text = OPENING + "Treatment was switched to nilotinib."
    assert course.course(story(text), {"nilotinib"}, {REACTION}).action == "unknown"


def test_every_result_points_to_the_words_it_was_read_from() -> None:
    text = OPENING + "Imatinib was withdrawn and the rash resolved. It was restarted and the rash recurred."
    result = course.course(story(text), {DRUG}, {REACTION})
    evidence = [
        [text[start:end] for start, end in spans or []]
        for spans in (result.dechallenge_evidence, result.rechallenge_evidence, result.action_evidence)
    ]
    assert evidence == [
        ["was withdrawn", "resolved"],
        ["was restarted", "rash recurred"],
        ["was withdrawn", "was restarted"],
    ]
    ending, spans = course.outcome(story(text), {REACTION}, frozenset())
    assert (ending, [text[start:end] for start, end in spans]) == ("recovered", ["resolved"])


def test_a_class_stands_for_its_member_and_a_combination_for_its_parts() -> None:
    text = "A man took warfarin and trimethoprim and developed a rash. "
    stopped = story(text + "Anticoagulants were stopped. Trimethoprim/sulfamethoxazole was withdrawn.")
    assert [course.course(stopped, {key}, {REACTION}).action for key in ("warfarin", "trimethoprim")] == [
        "withdrawn", "withdrawn",
    ]  # fmt: skip


def test_the_class_of_a_named_drug_stands_for_no_other_member() -> None:
    text = "A man took atorvastatin and simvastatin and developed a rash. The statin simvastatin was stopped."
    assert course.course(story(text), {"atorvastatin"}, {REACTION}).action == "unknown"


def test_a_stop_told_with_the_first_naming_of_the_reaction_counts() -> None:
    text = "A man took imatinib. It was stopped because of a rash that resolved. He remained off therapy for a year."
    assert course.course(story(text), {DRUG}, {REACTION}).dechallenge == "positive"
