"""PMC-Patients: V1's CSV with lists as text, V2's JSON, and what the annotations support."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept

ROW: dict[str, object] = {
    "patient_id": "0",
    "patient_uid": "1000001-1",
    "PMID": "1000001",
    "file_path": "comm/PMC1000001.xml",
    "title": "Blue toes, “again”",
    "patient": "A girl came with blue toes,\nas “before”.",
    "age": [[1.0, "year"], [2.0, "month"]],
    "gender": "F",
    "relevant_articles": {"1000001": 1},
    "similar_patients": {"1000002-1": 1},
}


def read(path: Path) -> list[Kept | Dropped]:
    return list(read_source(SourceConfig(name="pmc_patients", path=path)))


def v1(path: Path, *rows: dict[str, object]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(ROW))
        writer.writeheader()
        writer.writerows(rows)  # str() of lists and objects, as pandas writes them
    return path


def v2(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text(json.dumps(rows, indent=4))
    return path


def said(result: Kept | Dropped) -> list[str]:
    assert isinstance(result, Kept), result
    return [message.content for message in result.dialogue.messages]


def test_both_versions_give_the_same_dialogue(tmp_path: Path) -> None:
    odd = {**ROW, "similar_patients": ["1000002-1"], "relevant_articles": []}
    of_v1, of_v2 = ([said(r) for r in read(w(tmp_path / w.__name__, ROW, odd))] for w in (v1, v2))
    assert of_v1 == of_v2
    assert of_v1[0] == of_v1[1]  # the columns of ids change nothing
    assert of_v1[0] == [
        "A girl came with blue toes,\nas “before”.\n\nWhat are the age and sex of the patient?",
        "Age: 1 year 2 months. Sex: female.",
        "Suggest a title for the article that reports this case.",
        "Blue toes, “again”",
    ]


@pytest.mark.parametrize("write", [v1, v2])
@pytest.mark.parametrize(
    ("age", "said_age"),
    [
        ([[45.0, "year"]], "45 years"),
        ([[0.5, "day"]], "0.5 days"),
        ([[1, "week"], [3, "day"]], "1 week 3 days"),
        ([[130.0, "year"]], "130 years"),
    ],
)
def test_ages(tmp_path: Path, write: Callable[..., Path], age: object, said_age: str) -> None:
    [result] = read(write(tmp_path / "d", {**ROW, "age": age, "gender": "M"}))
    assert said(result)[1] == f"Age: {said_age}. Sex: male."


def test_what_is_not_annotated_is_not_asked(tmp_path: Path) -> None:
    rows = [{**ROW, "age": []}, {**ROW, "gender": None}, {**ROW, "title": " "}]
    no_age, no_sex, no_title = read(v2(tmp_path / "d", *rows))
    title = "as “before”.\n\nSuggest a title for the article that reports this case."
    for result in (no_age, no_sex):
        assert said(result)[0].endswith(title)
        assert len(said(result)) == 2
    assert said(no_title)[1:] == ["Age: 1 year 2 months. Sex: female."]
    for result in (no_age, no_sex, no_title):
        assert isinstance(result, Kept)
        assert result.changes == {"age and sex, or title, not annotated": 1}
    [neither] = read(v2(tmp_path / "d", {**ROW, "age": None, "title": ""}))
    assert neither == Dropped("row 1", "neither age and sex nor title", broken=False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"patient": ""}, "no patient summary"),
        ({"patient": None}, "patient or title is not text"),
        ({"title": 7}, "patient or title is not text"),
        ({"gender": "X"}, "gender is neither M nor F"),
        ({"gender": ["M"]}, "gender is neither M nor F"),
        ({"age": "1 year"}, "age is neither JSON nor a Python literal"),
        ({"age": "__import__('os').system('true')"}, "age is neither JSON nor a Python literal"),
        ({"age": "[" * 300_000}, "age is longer than 262,144 characters"),
        ({"age": "[" * 50_000}, "age is neither JSON nor a Python literal"),
        ({"age": 45}, "age is not a list"),
        ({"age": [45, "year"]}, "age is not made of pairs"),
        ({"age": [["45", "year"]]}, "age is not a number"),
        ({"age": [[True, "year"]]}, "age is not a number"),
        ({"age": [[45.0, "decade"]]}, "age in an unknown unit"),
        ({"age": [[45.0, ["year"]]]}, "age in an unknown unit"),
        ({"age": [[-1.0, "year"]]}, "age outside its range"),
        ({"age": [[131.0, "year"]]}, "age outside its range"),
        ({"age": [[100.0, "year"], [400, "month"]]}, "age outside its range"),
        ({"age": [[float("nan"), "year"]]}, "age outside its range"),
        ({"age": [[10**400, "hour"]]}, "age outside its range"),
        ({"patient": "\x00"}, "NUL character in the text"),
    ],
)
def test_broken_rows(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    results = read(v2(tmp_path / "d", ROW, {**ROW, **change}, ROW))
    assert [type(result) for result in results] == [Kept, Dropped, Kept]
    assert results[1] == Dropped("row 2", reason)


def test_an_invalid_escape_in_a_literal_warns_nobody(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    [result] = read(v2(tmp_path / "d", {**ROW, "age": r"[[1.0, '\d']]"}))
    assert result == Dropped("row 1", "age in an unknown unit")
    assert not recwarn.list


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("patient_id,text\n1,x\n")
    with pytest.raises(MedllmError, match="header without title, patient, age, gender"):
        read(tmp_path / "d")
    (tmp_path / "d").write_text(json.dumps([{"patient": "x"}] * 3))
    with pytest.raises(MedllmError, match="none of its 3 rows has all of title, patient, age"):
        read(tmp_path / "d")
