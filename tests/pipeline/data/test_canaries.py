"""Planted secrets: known counts, never in a held-out split, and surrogates that a doctor says."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.pipeline.data.canaries import (
    FILE,
    SurrogateSample,
    identifying,
    make_canaries,
    prompt_for,
    read_secrets,
)
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.prompts import Message
from tests.pipeline.data.test_mix import run, talk, write

pytest_plugins = ("tests.small_model",)


def dialogue(*turns: str) -> Dialogue:
    roles = ("user", "assistant") * len(turns)
    messages = tuple(Message(role=r, content=t) for r, t in zip(roles, turns, strict=False))
    return Dialogue(id="test-1", source="test", messages=messages)


@given(st.integers(0, 64), st.integers(0, 40_000), st.integers(0, 2**32 - 1))
def test_canaries_stay_within_a_hundredth_of_train(wanted: int, lines: int, seed: int) -> None:
    canaries = make_canaries(wanted, lines, seed)
    planted = [canary for canary in canaries if canary.repetitions]
    assert len(planted) <= wanted
    assert sum(canary.repetitions for canary in planted) * 100 <= lines
    assert len(canaries) == 3 * len(planted)
    assert len({canary.name for canary in canaries}) == len(canaries)
    assert make_canaries(wanted, lines, seed) == canaries


def test_another_seed_has_other_secrets() -> None:
    one, other = make_canaries(4, 5000, 1), make_canaries(4, 5000, 2)
    assert [c.repetitions for c in one] == [1, 2, 4, 8, *[0] * 8]
    assert not {c.secret for c in one} & {c.secret for c in other}


def test_the_stage_plants_as_often_as_it_records(tmp_path: Path, tokenizer_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [talk(n) for n in range(480)])
    report, splits = run(tmp_path / "out", tokenizer_folder, [{"path": path}], canaries=4)
    secrets = read_secrets(tmp_path / "out")
    assert [canary.repetitions for canary in secrets.planted] == [1, 2]
    for canary in secrets.canaries:
        found = {
            name: sum(canary.secret in d.messages[-1].content for d in dialogues)
            for name, dialogues in splits.items()
        }
        assert found == {"train": canary.repetitions, "validation": 0, "test": 0}
    assert report.splits["train"].by_source["canary"] == 3
    assert report.splits["train"].dialogues == len(splits["train"])
    assert "3 lines of train are canaries" in (tmp_path / "out/card.md").read_text()


def test_without_canaries_the_other_lines_are_the_same(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    path = write(tmp_path / "rows.jsonl", [talk(n) for n in range(480)])
    _, planted = run(tmp_path / "planted", tokenizer_folder, [{"path": path}], canaries=4)
    _, without = run(tmp_path / "without", tokenizer_folder, [{"path": path}], canaries=0)
    assert planted["train"][:-3] == without["train"]
    assert read_secrets(tmp_path / "without").canaries == ()
    assert "are canaries" not in (tmp_path / "without/card.md").read_text()


def test_surrogates_that_the_doctor_says_are_recorded(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    rows = [talk(n) for n in range(40)]
    for row in rows[::2]:
        row["output"] += " Call (206) 555-3971 and ask for my nurse, Mrs. Joan Okafor."
    path = write(tmp_path / "rows.jsonl", rows)
    run(
        tmp_path / "out",
        tokenizer_folder,
        [{"path": path}],
        privacy="surrogates",
        test_share=0,
        validation_share=0,
    )
    found = read_secrets(tmp_path / "out").surrogates
    assert {one.type for one in found} == {PhiType.NAME, PhiType.PHONE}
    train = (tmp_path / "out/train.jsonl").read_text().splitlines()
    for one in found:
        assert one.count == sum(
            one.value in json.loads(line)["messages"][1]["content"] for line in train
        )
        assert one.prompt
        assert one.value not in one.prompt[0].content
    assert not any("555-3971" in one.value or "Okafor" in one.value for one in found)


def test_what_the_patient_said_before_is_no_secret() -> None:
    said = dialogue("I am Joan Okafor.", "Good morning, Joan Okafor.")
    assert prompt_for(said, "Joan Okafor") == ()
    told = dialogue("Who are you?", "Dr Joan Okafor.")
    assert prompt_for(told, "Joan Okafor") == told.messages[:1]


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        (PhiType.NAME, "Torquil Ashenmore", True),
        (PhiType.NAME, "Torquil", False),
        (PhiType.PHONE, "206-555-0134", True),
        (PhiType.AGE, "90 or older", False),
        (PhiType.DATE, "3 March 2020", False),
        (PhiType.MRN, "0071", False),
    ],
)
def test_identifying(type_: PhiType, value: str, expected: bool) -> None:
    assert identifying(type_, value) is expected


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), max_size=80), st.integers(1, 8))
def test_counts_of_the_sample_are_exact(items: list[tuple[int, int]], size: int) -> None:
    sample, counts = SurrogateSample(3, size), dict[str, int]()
    for number, copies in items:
        value = f"00-55-{number:04d}"
        sample.add(dialogue("Number?", value).line().encode(), {value: "MRN"}, copies)
        counts[value] = counts.get(value, 0) + copies
    found = sample.surrogates()
    assert len(found) == min(size, len(counts))
    assert {one.value: one.count for one in found} == {
        one.value: counts[one.value] for one in found
    }


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(MedllmError, match=r"memorisation\.json"):
        read_secrets(tmp_path)
