"""The review pages in a real browser: found, pointed at, read with the keyboard alone, and not to be attacked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.paths import ReviewPaths
from pipeline.records import Assessment, Case, Drug, Reaction
from pipeline.review import pages
from pipeline.review.index import Table
from pipeline.review.reading import Material
from tests.integration.browser import NARROW, WIDE, Scheme, running, violations, visiting
from tests.unit.fhir.fhir_samples import minimal
from tests.unit.review.review_samples import harmless, hostile, make_dataset

pytestmark = pytest.mark.browser

LETTER = pages.case_key("imatinib-erythema-multiforme", "imatinib-erythema-multiforme-1")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as browser:
        yield browser


@pytest.fixture(scope="module")
def review(seeds_dataset: Path, tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> ReviewPaths:
    """Pages of the seeds. (Asks for the browser first: without one, nothing is made.)"""
    out = tmp_path_factory.mktemp("seeds-review") / "review"
    pages.write(seeds_dataset, out)
    return ReviewPaths(out)


def lit(page: Page) -> list[str]:
    """The words that are lit in the narrative."""
    return [text.strip() for text in page.locator("#narrative .lit").all_inner_texts() if text.strip()]


def active(page: Page) -> set[str]:
    """The facts that are lit."""
    return set(page.eval_on_selector_all("#facts .fact.active", "found => found.map(one => one.dataset.fact)"))


def rows(page: Page) -> int:
    return page.locator("#rows tr").count()


class TestIndex:
    """Finding cases."""

    def test_all_cases_and_what_was_refused(self, browser: Browser, review: ReviewPaths) -> None:
        with visiting(browser, review.index) as page:
            expect(page.locator("#found")).to_have_text("15 cases")
            assert rows(page) == 15
            expect(page.locator("#refused tbody tr")).to_have_count(4)

    def test_search_and_filters(self, browser: Browser, review: ReviewPaths, seeds_dataset: Path) -> None:
        table = pq.read_table(seeds_dataset / "parquet" / "reactions")
        without = 15 - len(set(table.column("case_id").to_pylist()))
        with visiting(browser, review.index) as page:
            page.fill("#search", "imatinib targetoid")
            expect(page.locator("#found")).to_have_text("1 of 15 cases")
            page.click("#reset")
            page.fill("#drug", "sertraline")
            expect(page.locator("#found")).to_have_text("2 of 15 cases")
            page.fill("#drug", "")
            page.select_option("#outcome", "fatal")
            expect(page.locator("#rows")).to_contain_text("toxic epidermal necrolysis")
            assert rows(page) == 1
            page.select_option("#outcome", "")
            page.select_option("#causality", "certain")
            expect(page.locator("#rows")).to_contain_text("imatinib-erythema-multiforme-1")
            page.click("#reset")
            page.select_option("#state", "none")
            expect(page.locator("#found")).to_have_text(f"{without} of 15 cases")
            page.fill("#search", "no such case")
            expect(page.locator("#found")).to_have_text("0 of 15 cases")

    def test_sorting_turns_round_and_goes(self, browser: Browser, review: ReviewPaths) -> None:
        with visiting(browser, review.index) as page:
            head = page.locator('[data-sort="suspects"]')
            first = page.locator("#rows tr:first-child td:nth-child(2)")
            original = first.inner_text()
            for order, drug in (("ascending", "allopurinol"), ("descending", None)):
                head.locator("button").click()
                expect(head).to_have_attribute("aria-sort", order)
                if drug:
                    expect(first).to_have_text(drug)
            head.locator("button").click()
            assert head.get_attribute("aria-sort") is None
            expect(first).to_have_text(original)

    def test_a_bar_of_a_chart_is_a_filter(self, browser: Browser, review: ReviewPaths) -> None:
        with visiting(browser, review.index) as page:
            page.locator("#chart-outcomes .bar", has_text="not recovered").click()
            expect(page.locator("#found")).to_have_text("1 of 15 cases")
            expect(page.locator("#outcome")).to_have_value("not recovered")
            page.locator("#chart-outcomes .bar", has_text="not recovered").click()
            expect(page.locator("#found")).to_have_text("15 cases")
            page.get_by_role("button", name="sertraline, hyponatremia: 2").click()
            expect(page.locator("#found")).to_have_text("2 of 15 cases")

    def test_a_case_leads_back_to_the_list_as_it_was(self, browser: Browser, review: ReviewPaths) -> None:
        with visiting(browser, review.index) as page:
            page.fill("#search", "haloperidol")
            expect(page.locator("#found")).to_have_text("1 of 15 cases")
            page.locator("#rows a").click()
            expect(page.locator("h1")).to_have_text("Man, 33 years")
            page.click("#back")
            expect(page.locator("#found")).to_have_text("1 of 15 cases")
            expect(page.locator("#search")).to_have_value("haloperidol")


class TestCase:
    """Reading a case."""

    @pytest.fixture
    def page(self, browser: Browser, review: ReviewPaths) -> Iterator[Page]:
        with visiting(browser, review.case(LETTER)) as page:
            yield page

    def test_pointing_at_a_fact_shows_its_words(self, page: Page) -> None:
        page.hover('[data-fact="drugs/0/action_taken"]')
        expect(page.locator("#evidence")).to_contain_text("Imatinib was stopped")
        assert lit(page) == ["was stopped", "was then restarted"]
        assert active(page) == {"drugs/0/action_taken"}
        page.hover("h1")
        expect(page.locator("#evidence")).to_be_hidden()
        assert lit(page) == []

    def test_pointing_at_words_shows_their_facts(self, page: Page) -> None:
        page.locator("#narrative mark", has_text="was completely cured").hover()
        expect(page.locator("#evidence")).to_contain_text("Outcome: recovered")
        assert {"reactions/0/outcome", "assessments/0/dechallenge", "assessments/0/naranjo/items/3"} <= active(page)

    def test_words_that_lie_over_each_other_show_all_their_facts(self, page: Page) -> None:
        page.locator('#narrative mark[data-start="707"]').hover()
        expect(page.locator("#evidence")).to_be_visible()
        assert {"drugs/0/exposures/0", "reactions/0/time_to_onset", "assessments/0/naranjo/items/2"} <= active(page)

    def test_a_click_keeps_the_choice_until_escape(self, page: Page) -> None:
        button = page.locator('[data-fact="reactions/0/time_to_onset"] button.value')
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        page.hover('[data-fact="patient/age"]')
        page.wait_for_timeout(120)
        assert active(page) == {"reactions/0/time_to_onset"}
        page.keyboard.press("Escape")
        assert active(page) == set()

    def test_the_words_of_a_fact_come_into_view(self, page: Page) -> None:
        page.locator('[data-fact="drugs/0/exposures/3"] button.value').click()
        expect(page.locator("#narrative .lit").first).to_be_in_viewport()

    def test_the_picture_and_the_story_point_to_facts(self, page: Page) -> None:
        page.locator('svg.picture .look-suspect[data-for="drugs/0/exposures/2"]').hover()
        expect(page.locator("#evidence")).to_contain_text("200 mg/day")
        assert active(page) == {"drugs/0/exposures/2"}
        page.locator(".story summary").click()
        page.locator('.story a[data-for="assessments/0/dechallenge"]').click()
        assert active(page) == {"assessments/0/dechallenge"}

    def test_negated_and_literature_mentions_differ_by_more_than_colour(self, page: Page) -> None:
        def drawn(name: str) -> list[str]:
            look = "e => [getComputedStyle(e).textDecorationLine, getComputedStyle(e).fontStyle]"
            found: list[str] = page.eval_on_selector(f"#narrative .said-{name}", look)
            return found

        assert drawn("negated") == ["line-through", "normal"]
        assert drawn("literature") == ["none", "italic"]
        assert page.locator('#narrative .tag[data-tag="neg"]').count() > 0
        assert page.locator('#narrative .tag[data-tag="lit"]').count() > 0

    def test_kinds_can_be_hidden(self, page: Page) -> None:
        look = "e => getComputedStyle(e).backgroundColor"
        before = page.eval_on_selector("#narrative .fill-reaction", look)
        page.click('[data-toggle="reaction"]')
        expect(page.locator('[data-toggle="reaction"]')).to_have_attribute("aria-pressed", "false")
        assert page.eval_on_selector("#narrative .fill-reaction", look) != before

    @pytest.mark.parametrize("version", ["R4", "R5"])
    def test_resources_are_those_of_the_dataset(self, page: Page, seeds_dataset: Path, version: str) -> None:
        details = page.locator(f'details.resource[data-version="{version}"]', has_text="AdverseEvent")
        details.locator("summary").click()
        expect(details.locator("pre")).to_contain_text("resourceType")
        shown = json.loads(details.locator("pre").inner_text())
        published = (seeds_dataset / "fhir" / version / "AdverseEvent.ndjson").read_text().splitlines()
        assert shown in [json.loads(line) for line in published]
        details.locator('.states a[data-for="assessments/0/rechallenge"]').click()
        assert active(page) == {"assessments/0/rechallenge"}

    def test_a_resource_can_be_copied(self, page: Page) -> None:
        details = page.locator('details.resource[data-version="R4"]', has_text="Patient").first
        details.locator("summary").click()
        details.locator(".copy").click()
        expect(details.locator(".copy")).to_have_text("Copied")

    def test_a_selection_is_told_in_code_points(self, page: Page, seeds_dataset: Path) -> None:
        select = """() => {
            const from = document.querySelector('#narrative [data-start="707"]').firstChild;
            const to = document.querySelector('#narrative [data-start="718"]').firstChild;
            getSelection().setBaseAndExtent(from, 2, to, 8);
            return window.case2fhirReview.selection();
        }"""
        assert page.evaluate(select) == [709, 726]
        assert (
            page.evaluate("() => { getSelection().removeAllRanges(); return window.case2fhirReview.selection(); }")
            is None
        )


class TestKeyboard:
    """Everything without a mouse."""

    def test_from_the_list_to_the_words_of_a_fact(self, browser: Browser, review: ReviewPaths) -> None:
        with visiting(browser, review.index) as page:
            page.keyboard.press("Tab")
            expect(page.locator(".skip").first).to_be_focused()
            page.locator("#search").focus()
            page.keyboard.type("targetoid")
            expect(page.locator("#found")).to_have_text("1 of 15 cases")
            self._tab_to(page, "#rows a")
            page.keyboard.press("Enter")
            expect(page.locator("h1")).to_have_text("Woman, 66 years")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            self._tab_to(page, "#facts button.value")
            expect(page.locator("#evidence")).to_be_visible()
            assert lit(page) == ["woman"]
            page.keyboard.press("Enter")
            expect(page.locator('[data-fact="patient/sex"] button')).to_have_attribute("aria-pressed", "true")
            page.keyboard.press("Enter")
            expect(page.locator("#narrative mark", has_text="woman").first).to_be_focused()
            page.keyboard.press("Enter")
            page.keyboard.press("Enter")
            expect(page.locator('[data-fact="patient/sex"] button')).to_be_focused()
            page.keyboard.press("Escape")
            expect(page.locator("#evidence")).to_be_hidden()

    def test_from_word_to_word(self, browser: Browser, review: ReviewPaths) -> None:
        with visiting(browser, review.case(LETTER)) as page:
            self._tab_to(page, "#narrative mark")
            expect(page.locator("#evidence")).to_contain_text("Targetoid eruption")
            page.keyboard.press("ArrowRight")
            assert "assessments/0" in active(page)
            page.keyboard.press("End")
            focused = page.evaluate(
                "() => document.activeElement === [...document.querySelectorAll('#narrative mark[role]')].at(-1)"
            )
            assert focused
            page.keyboard.press("Home")
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            assert not page.evaluate("() => document.activeElement.matches('#narrative mark')")

    def test_a_chart_and_the_order(self, browser: Browser, review: ReviewPaths) -> None:
        with visiting(browser, review.index) as page:
            self._tab_to(page, "#chart-causality .bar")
            page.keyboard.press("Enter")
            expect(page.locator("#found")).to_have_text("1 of 15 cases")
            page.keyboard.press("Enter")
            self._tab_to(page, "[data-sort=case] button")
            page.keyboard.press("Enter")
            expect(page.locator("[data-sort=case]")).to_have_attribute("aria-sort", "ascending")

    @staticmethod
    def _tab_to(page: Page, selector: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached with Tab")


@pytest.mark.parametrize(
    ("which", "scheme", "size"),
    [("index", "light", NARROW), ("index", "dark", WIDE), ("case", "light", WIDE), ("case", "dark", NARROW)],
)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    which: str, scheme: Scheme, size: tuple[int, int], browser: Browser, review: ReviewPaths
) -> None:
    with visiting(browser, review.index if which == "index" else review.case(LETTER), scheme=scheme, size=size) as page:
        if which == "case":
            page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
            page.locator('[data-fact="drugs/0/role"] button.value').click()
            expect(page.locator("details.resource pre").last).to_contain_text("resourceType")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> ReviewPaths:
    """Pages of a dataset with a hostile report."""
    root = tmp_path_factory.mktemp("hostile") / "out"
    pages.write(make_dataset(root, [hostile(), harmless(1)]))
    return ReviewPaths(root / "review")


class TestHostileReports:
    """A report whose every text is an attack."""

    def test_nothing_of_it_runs_in_the_index(self, attacked: ReviewPaths, browser: Browser) -> None:
        with visiting(browser, attacked.index) as page:
            expect(page.locator("#rows")).to_contain_text("<script>window.attacked=1</script>")
            page.fill("#search", "<img src=x onerror")
            expect(page.locator("#found")).to_have_text("1 of 2 cases")
            page.locator("#chart-pairs .bar").first.hover()
            assert page.evaluate("window.attacked") is None

    def test_nothing_of_it_runs_in_the_page_of_the_case(self, attacked: ReviewPaths, browser: Browser) -> None:
        case, report, _ = hostile()
        with visiting(browser, attacked.case(pages.case_key(report.report_id, case.case_id))) as page:
            page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
            for element in page.locator("#facts button.value").all():
                element.click()
            for mark in page.locator("#narrative mark").all()[:40]:
                mark.hover(force=True)
            expect(page.locator("details.resource pre").first).to_contain_text("resourceType")
            assert page.evaluate("window.attacked") is None
            assert page.evaluate("document.title").endswith("case2fhir review")
            shown = page.locator("#narrative").evaluate("e => [...e.querySelectorAll('[data-start]')].length")
            assert shown > 20

    def test_the_policy_stops_what_gets_past_the_escaping(self, attacked: ReviewPaths, browser: Browser) -> None:
        """If escaping failed, an attack would still not run."""
        place = attacked.root / "cases" / "00" / "broken.html"
        place.parent.mkdir(exist_ok=True)
        page_of = pages.case_page(Material(minimal()[0], "ATTACK", {}))
        assert "ATTACK" in page_of
        inserted = "<script>window.attacked=1</script><img src=x onerror=window.attacked=1><p style='color:red'>"
        place.write_text(page_of.replace("ATTACK", inserted), encoding="utf-8")
        with pytest.raises(AssertionError, match="Content Security Policy"), visiting(browser, place) as page:
            assert page.evaluate("window.attacked") is None


def test_ten_thousand_cases_open_within_a_second(tmp_path: Path, browser: Browser) -> None:
    """The best of three openings, which depends least on what else the machine does."""
    paths = ReviewPaths(tmp_path)
    table = Table()
    for number in range(10_000):
        table.add(f"c{number:024x}", Material(_case(number), None, {}))
    pages.write_index(paths, table, 10_000)
    ready = "() => performance.getEntriesByName('case2fhir-ready')[0].startTime"
    with visiting(browser, paths.index) as page:
        expect(page.locator("#found")).to_have_text("10,000 cases")
        times = [page.evaluate(ready)]
        for _ in range(2):
            page.reload()
            times.append(page.evaluate(ready))
        assert min(times) < 1000, times
        page.fill("#search", "drug-17 reaction-3")
        expect(page.locator("#found")).to_contain_text("of 10,000 cases")
        assert 0 < rows(page) <= 50


def _case(number: int) -> Case:
    causes: list[Any] = ["certain", "probable", "possible", "unlikely"]
    outcomes: list[Any] = ["recovered", "recovering", "fatal", "unknown"]
    drugs = [Drug(id=f"d{n}", name=f"drug-{(number * 7 + n) % 400}", role="suspect") for n in range(2)]
    reactions = [
        Reaction(
            id=f"r{n}",
            term=f"reaction-{(number * 3 + n) % 600} of some length",
            time_to_onset=f"P{1 + number % 90}D",
            outcome=outcomes[number % 4],
        )
        for n in range(2)
    ]
    pair = Assessment(drug="d0", reaction="r0", who_umc=causes[number % 4])
    case = Case(case_id=f"report-{number}-1", report_id=f"report-{number}", drugs=drugs, reactions=reactions)
    return msgspec.structs.replace(case, assessments=[pair])
