"""The report adds up, or it is not written."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.data.reporting.page import markdown, plot_lengths
from medllm.pipeline.data.reporting.report import (
    DuplicateReport,
    Lengths,
    PrepareReport,
    PrivacyReport,
)
from medllm.pipeline.data.reporting.tally import SourceTally, SplitTally
from medllm.pipeline.data.store import Stored
from medllm.pipeline.sources import source


def counted() -> SourceTally:
    """Five rows read, two kept, three dropped."""
    config = SourceConfig(name="meddialog", path=Path("x"))
    found = SourceTally(source("meddialog"), config, "llama2", read=5)
    for where in ("row 1", "row 2", "row 4"):
        found.drop("broken", "no turns", where)
    found.keep({"empty turns left out": 2})
    found.keep({})
    return found


def stored(with_system: bool, characters: int, tokens: int) -> Stored:
    return Stored("row 3", 2, with_system, characters, tokens, {}, {})


def tally() -> SplitTally:
    found = SplitTally()
    found.add("s", stored(False, 5, 7))
    found.add("s", stored(True, 6, 9))
    return found


def test_rows_must_add_up() -> None:
    found = counted()
    assert found.report().rows_kept == 2
    found.read = 6
    with pytest.raises(ValidationError, match="6 rows read, 2 kept, 3 dropped"):
        found.report()


def test_only_broken_rows_speak_against_a_file() -> None:
    found = counted()
    found.read += 1
    found.drop("duplicate", "exact duplicate of an earlier dialogue", "row 9")
    assert [(drop.reason, drop.rows, drop.first) for drop in found.report().bad] == [
        ("no turns", 3, "row 1")
    ]


def test_a_person_reads_what_happened() -> None:
    empty = SplitTally().report()
    report = PrepareReport(
        seed=0,
        format="llama2",
        sources=(counted().report(),),
        splits={"train": tally().report(), "validation": empty, "test": empty},
        privacy=PrivacyReport(
            mode="surrogates",
            replaced={"NAME": 3},
            dialogues=2,
            residual={"e-mail": 1},
            residual_first={"e-mail": "train.jsonl:2"},
        ),
        duplicates=DuplicateReport(threshold=0.8, groups=2, largest_group=1, uncompared=0),
        evaluation_sets={"questions.jsonl": "ab"},
    )
    text = markdown(report)
    assert "| x | broken | no turns | 3 | row 1 |" in text
    assert "| train | 2 | s 2 | 4 | 1 |" in text
    assert "| NAME | 3 |" in text
    assert "| e-mail | 1 | train.jsonl:2 |" in text
    assert "A public push needs: review." in text
    assert report == PrepareReport.model_validate_json(report.model_dump_json())


def test_a_tally_counts_turns_characters_and_tokens() -> None:
    report = tally().report()
    assert (report.dialogues, report.turns, report.with_system) == (2, 4, 1)
    assert report.characters == Lengths(median=5, p90=6, p99=6, max=6)
    assert report.tokens == Lengths(median=7, p90=9, p99=9, max=9)


@given(st.lists(st.integers(0, 1000), min_size=1), st.sampled_from([50, 90, 99]))
def test_percentiles_are_nearest_rank(values: list[int], percent: int) -> None:
    found = {50: "median", 90: "p90", 99: "p99"}[percent]
    value = getattr(Lengths.of(values), found)
    assert value in values
    needed = math.ceil(percent * len(values) / 100)
    assert sum(v <= value for v in values) >= needed > sum(v < value for v in values)


def test_the_histogram_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        plot_lengths(tmp_path / name, [3, 5, 5, 90])
    for name in ("lengths.png", "lengths.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
