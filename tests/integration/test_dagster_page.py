"""What a person finds in Dagster after a run: numbers, rows, charts, and where to look further."""

from pathlib import Path

import dagster as dg
import pytest

from pipeline.definitions import build_defs
from pipeline.orchestration.jobs import JOB
from pipeline.orchestration.resources import Engine, Inputs, Output
from pipeline.paths import DatasetPaths, ReviewPaths

LETTER = Path(__file__).parents[2] / "seeds" / "letters" / "imatinib-erythema-multiforme.txt"


def run(out: Path, *, previews: bool) -> dict[str, dict[str, dg.MetadataValue]]:
    """Metadata of each materialised asset."""
    defs = build_defs(
        inputs=Inputs(paths=[str(LETTER)]),
        output=Output(folder=str(out), data_docs=False, previews=previews),
        engine=Engine(workers=1),
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(JOB).execute_in_process(instance=instance)
        events = result.get_asset_materialization_events()
    return {
        event.asset_key.to_user_string(): dict(event.materialization.metadata) for event in events if event.asset_key
    }


@pytest.mark.slow
def test_assets_show_what_they_made(tmp_path: Path) -> None:
    shown = run(tmp_path / "out", previews=True)
    assert shown["cases"]["dagster/row_count"].value == 1
    for words in ("imatinib", "erythema multiforme", "female 66 a", "certain"):
        assert words in str(shown["cases"]["preview"].value)
    dataset = shown["dataset"]
    assert dataset["reactions"].value == 1
    assert "█" in str(dataset["by reaction"].value)
    assert "certain" in str(dataset["by causality"].value)
    assert '"resourceType": "AdverseEvent"' in str(dataset["AdverseEvent"].value).replace("'", '"')
    assert str(dataset["review"].value).startswith("case2fhir review")


@pytest.mark.slow
def test_without_previews_there_are_numbers_only_and_the_review_pages_are_pointed_to(tmp_path: Path) -> None:
    paths = DatasetPaths(tmp_path / "out")
    run(paths.root, previews=False)
    index = ReviewPaths(paths.review).index
    index.parent.mkdir()
    index.touch()
    shown = run(paths.root, previews=False)
    assert "imatinib" not in str(shown).replace(str(LETTER), "").replace(LETTER.stem, "").lower()
    assert shown["dataset"]["review"].value == str(index)
    assert shown["dataset"]["exposures"].value == 4 + 2
