"""Public evaluation sets are known by their content; what is none of them is refused."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from medllm.pipeline.data.evaluation_sets import Item, Passage, read_items
from medllm.pipeline.errors import MedllmError

OPTIONS = ["Rest", "Tea", "Sleep", "Air"]
TAIL = "A. Rest\nB. Tea\nC. Sleep\nD. Air"
CHOICE = Item((Passage("What helps?", TAIL),), ("What helps?", f"What helps?\n{TAIL}"))
MEDQA = {
    "question": "What helps?",
    "answer": "Tea",
    "options": dict(zip("ABCD", OPTIONS, strict=True)),
    "answer_idx": "B",
    "meta_info": "step1",
}
MEDMCQA = {
    "id": "1",
    "question": "What helps?",
    **dict(zip(("opa", "opb", "opc", "opd"), OPTIONS, strict=True)),
    "cop": 2,
    "choice_type": "multi",
    "exp": "Tea is warm.",
}
PUBMEDQA = {
    "QUESTION": "Does tea help?",
    "CONTEXTS": ["We gave tea.", "It was warm."],
    "final_decision": "yes",
    "LONG_ANSWER": "It does.",
    "YEAR": None,
}
HEALTHBENCH = {
    "prompt": [{"role": "user", "content": "Does tea help?"}],
    "rubrics": [{"criterion": "Says yes", "points": 5, "tags": []}],
}
OWN = {"id": "1", "question": "What helps?", "options": OPTIONS, "answer": "B"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_csv(path: Path, rows: list[list[str]], end: str = "\n") -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator=end).writerows(rows)
    return path


@pytest.mark.parametrize("row", [MEDQA, OWN])
def test_multiple_choice_in_json_lines(tmp_path: Path, row: dict[str, object]) -> None:
    assert list(read_items(write(tmp_path / "any.bin", row, row))) == [CHOICE, CHOICE]


def test_medmcqa_has_an_explanation(tmp_path: Path) -> None:
    [item] = read_items(write(tmp_path / "dev.json", MEDMCQA))
    assert item == Item((*CHOICE.passages, Passage("Tea is warm.")), CHOICE.questions)
    [bare] = read_items(write(tmp_path / "test.json", {**MEDMCQA, "cop": -1, "exp": None}))
    assert bare == CHOICE


def test_parquet_and_gzip(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([{**MEDMCQA, "exp": None}]), tmp_path / "dev")
    packed = tmp_path / "us.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(MEDQA).encode()))
    for path in (tmp_path / "dev", packed):
        assert list(read_items(path)) == [CHOICE]


@pytest.mark.parametrize("indent", [None, 4])
def test_pubmedqa_is_one_object(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "ori_pqal.json"
    path.write_text(json.dumps({"1": PUBMEDQA, "2": PUBMEDQA}, indent=indent))
    texts = ("Does tea help?", "It does.", "We gave tea.", "It was warm.")
    assert list(read_items(path)) == [Item(tuple(map(Passage, texts)), ("Does tea help?",))] * 2


def test_healthbench_long_conversations_have_no_question(tmp_path: Path) -> None:
    said = [("system", "Be kind."), ("user", "hello"), ("assistant", "Hi."), ("user", "I cough.")]
    long = {**HEALTHBENCH, "prompt": [{"role": r, "content": c} for r, c in said]}
    items = list(read_items(write(tmp_path / "h", HEALTHBENCH, long)))
    assert items[0] == Item((Passage("Does tea help?"),), ("Does tea help?",))
    assert items[1] == Item((Passage("hello\nHi.\nI cough."),))


def test_mmlu_has_no_header(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x_test.csv", [["What helps?", *OPTIONS, "B"]])
    assert list(read_items(path)) == [CHOICE]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_mts_dialog_without_speakers(tmp_path: Path, end: str) -> None:
    said = "Doctor: How are you?\r\nGuest_family : Fine: really.\nPatient_2: I cough."
    rows = [["ID", "section_header", "section_text", "dialogue"], ["0", "CC", "A cough.", said]]
    [item] = read_items(write_csv(tmp_path / "v.csv", rows, end))
    dialogue, section = (" ".join(passage.text.split()) for passage in item.passages)
    assert (dialogue, section) == ("How are you? Fine: really. I cough.", "A cough.")
    assert item.questions == ()


def test_medsafety(tmp_path: Path) -> None:
    header = ["", "harmful_medical_request", "safe_response"]
    path = write_csv(tmp_path / "t.csv", [header, ["0", "Hide a fever.", "I will not."]])
    assert list(read_items(path)) == [
        Item((Passage("Hide a fever."), Passage("I will not.")), ("Hide a fever.",))
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("a,b,c\n1,2,3\n", "fields a, b, c"),
        ('{"instruction": "i", "input": "q", "output": "a"}\n', "fields instruction"),
        ('{"1": "yes", "2": "no"}\n', "fields 1, 2"),
        ('{"1": {"QUESTION": "q"}}\n', "entry"),
        ("{\n", "not JSON"),
        (json.dumps(MEDQA) + "\n{broken\n", "line 2"),
        (json.dumps({**MEDQA, "question": " "}) + "\n", "question is empty"),
        (json.dumps({**MEDQA, "options": {"A": 1}}) + "\n", "options is empty or not"),
        (json.dumps({**OWN, "options": "A"}) + "\n", "options is empty or not"),
        (json.dumps({**HEALTHBENCH, "prompt": [{"role": "user"}]}) + "\n", "content is empty"),
        ("q,a,b,c,d,A\nq,a,b,c,d\n", "row 2"),
        ('q,a,b,c,d,A\n"q,a', "CSV"),
        ("section_text,dialogue\nx\n", "row 1"),
        ("\x80\x04pickled", "is"),
        ("section_text,dialogue\n", "no items"),
    ],
)
def test_what_is_none_of_them_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(MedllmError, match=reason) as error:
        list(read_items(path))
    assert str(path) in error.value.what


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="cannot be read"):
        list(read_items(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    ("file", "items", "questions"),
    [
        ("mmlu/professional_medicine_test.csv", 282, 564),
        ("mmlu/anatomy_test.csv", 135, 270),
        ("pubmedqa/ori_pqal.json", 1000, 1000),
        ("medsafety/train_category_1.csv", 50, 50),
        ("mts-dialog/MTS-Dialog-ValidationSet.csv", 100, 0),
    ],
)
def test_real_files(shared_data: Path, file: str, items: int, questions: int) -> None:
    path = shared_data / file
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    found = list(read_items(path))
    assert len(found) == items
    assert sum(len(item.questions) for item in found) == questions


@pytest.mark.parametrize(
    "file", ["pubmedqa/test_ground_truth.json", "chatdoctor/chatdoctor5k.json"]
)
def test_real_files_that_are_none(shared_data: Path, file: str) -> None:
    path = shared_data / file
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    with pytest.raises(MedllmError, match="no evaluation set"):
        list(read_items(path))
