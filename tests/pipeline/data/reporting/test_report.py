"""The report adds up, or it is not written."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medllm.pipeline.data.report import (
    DropReport,
    Lengths,
    PrepareReport,
    SourceReport,
    SplitTally,
    plot_lengths,
)
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.prompts import Message


def source(read: int = 5, kept: int = 2) -> SourceReport:
    dropped = (DropReport(reason="no turns", rows=3, first="row 1"),)
    return SourceReport(
        name="s", path="x", rows_read=read, rows_kept=kept, dropped=dropped, changes={}
    )


def tally() -> SplitTally:
    turns = (Message(role="user", content="abc"), Message(role="assistant", content="de"))
    found = SplitTally()
    plain = Dialogue(id="s-1", source="s", messages=turns)
    found.add(plain, tokens=7)
    found.add(plain.with_system("f"), tokens=9)
    return found


def test_rows_must_add_up() -> None:
    source()
    with pytest.raises(ValidationError, match="6 rows read, 2 kept, 3 dropped"):
        source(read=6)


def test_dialogues_must_add_up() -> None:
    empty = SplitTally().report()
    splits = {"train": tally().report(), "validation": empty, "test": empty}
    report = PrepareReport.model_validate(
        {"seed": 0, "format": "llama2", "sources": (source(),), "splits": splits}
    )
    assert "| x | no turns | 3 | row 1 |" in report.markdown()
    assert "| train | 2 | s 2 | 4 | 1 |" in report.markdown()
    with pytest.raises(ValidationError, match="4 dialogues kept, 2 in the splits"):
        PrepareReport.model_validate(
            {
                "seed": 0,
                "format": "llama2",
                "sources": (source(), source()),
                "splits": splits,
            }
        )


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
