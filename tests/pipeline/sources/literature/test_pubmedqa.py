"""PubMedQA: the real labelled file, the hub's rows, and the test set that is left out."""

import json
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept, tidy

ITEM: dict[str, object] = {
    "QUESTION": "Does a walk help sleep?",
    "CONTEXTS": ["Sleep is bad.", "Forty adults walked."],
    "LABELS": ["BACKGROUND", "METHODS"],
    "YEAR": None,
    "final_decision": "maybe",
    "LONG_ANSWER": "Some slept better.",
}


def read(path: Path, notes: Path | None = None) -> list[Kept | Dropped]:
    return list(read_source(SourceConfig(name="pubmedqa", path=path, notes=notes)))


def write(path: Path, *items: object) -> Path:
    path.write_text(json.dumps({str(10_000 + n): item for n, item in enumerate(items)}, indent=4))
    return path


def said(result: Kept | Dropped) -> list[str]:
    assert isinstance(result, Kept), result
    return [message.content for message in result.dialogue.messages]


def test_the_real_file(shared_data: Path) -> None:
    path = shared_data / "pubmedqa" / "ori_pqal.json"
    given = json.loads(path.read_bytes())
    results = read(path)
    assert len(results) == len(given) == 1000
    for result, item in zip(results, given.values(), strict=True):
        question, answer = said(result)
        assert question.endswith(f"\n\n{tidy(item['QUESTION'])}")
        assert question.startswith(f"{item['LABELS'][0]}: {item['CONTEXTS'][0].strip()[:5]}")
        assert answer.endswith(f"\n\nIn short: {item['final_decision']}.")


def test_the_real_test_set_is_left_out(shared_data: Path) -> None:
    folder = shared_data / "pubmedqa"
    test = json.loads((folder / "test_ground_truth.json").read_bytes())
    given = json.loads((folder / "ori_pqal.json").read_bytes())
    results = read(folder / "ori_pqal.json", folder / "test_ground_truth.json")
    kept = [pmid for pmid, r in zip(given, results, strict=True) if isinstance(r, Kept)]
    assert len(kept) == 500
    assert not set(kept) & set(test)
    assert {(r.reason, r.broken) for r in results if isinstance(r, Dropped)} == {
        ("in the test set that notes names", False)
    }


def test_labels_and_a_missing_decision(tmp_path: Path) -> None:
    unlabelled = {key: ITEM[key] for key in ("QUESTION", "CONTEXTS", "LONG_ANSWER")}
    labelled, plain = read(write(tmp_path / "d", ITEM, unlabelled))
    assert said(labelled) == [
        "BACKGROUND: Sleep is bad.\n\nMETHODS: Forty adults walked.\n\nDoes a walk help sleep?",
        "Some slept better.\n\nIn short: maybe.",
    ]
    assert said(plain) == [
        "Sleep is bad.\n\nForty adults walked.\n\nDoes a walk help sleep?",
        "Some slept better.",
    ]


def test_the_hubs_rows_give_the_same_and_know_the_test_set(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = {
        "pubid": 10_000,
        "question": ITEM["QUESTION"],
        "context": {"contexts": ITEM["CONTEXTS"], "labels": ITEM["LABELS"], "meshes": ["Sleep"]},
        "long_answer": ITEM["LONG_ANSWER"],
        "final_decision": "maybe",
    }
    pq.write_table(pa.Table.from_pylist([row, {**row, "pubid": 10_001}]), tmp_path / "hub")
    [expected] = read(write(tmp_path / "d", ITEM))
    assert [said(result) for result in read(tmp_path / "hub")] == [said(expected)] * 2
    (tmp_path / "test").write_text('{"10001": "maybe"}')
    assert [type(r) for r in read(tmp_path / "hub", tmp_path / "test")] == [Kept, Dropped]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ([], "not a JSON object"),
        ({}, "question or long answer is not text"),
        ({**ITEM, "QUESTION": 1}, "question or long answer is not text"),
        ({**ITEM, "LONG_ANSWER": None}, "question or long answer is not text"),
        ({**ITEM, "CONTEXTS": "text"}, "the contexts are not a list of texts"),
        ({**ITEM, "CONTEXTS": [1]}, "the contexts are not a list of texts"),
        ({**ITEM, "CONTEXTS": [" "]}, "question, contexts or long answer is empty"),
        ({**ITEM, "LONG_ANSWER": ""}, "question, contexts or long answer is empty"),
        ({**ITEM, "final_decision": "perhaps"}, "final_decision is neither yes, no nor maybe"),
        ({**ITEM, "final_decision": ["yes"]}, "final_decision is neither yes, no nor maybe"),
        ({**ITEM, "QUESTION": "\ud83d"}, "text is not valid UTF-8"),
    ],
)
def test_broken_items(tmp_path: Path, broken: object, reason: str) -> None:
    results = read(write(tmp_path / "d", ITEM, broken, ITEM))
    assert [type(result) for result in results] == [Kept, Dropped, Kept]
    assert results[1] == Dropped("question 2", reason)


def test_a_test_set_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    path = write(tmp_path / "d", ITEM)
    with pytest.raises(MedllmError, match="cannot be read: No such file"):
        read(path, tmp_path / "none")
    (tmp_path / "list").write_text("[1]")
    with pytest.raises(MedllmError, match="is not one JSON object"):
        read(path, tmp_path / "list")
