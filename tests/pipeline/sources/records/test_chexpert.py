"""CheXpert's labels become findings and an impression; one row a study, nothing out of range."""

import csv
import math
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept

LABELS = ["No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity"]
LABELS += ["Lung Lesion", "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax"]
LABELS += ["Pleural Effusion", "Pleural Other", "Fracture", "Support Devices"]
HEADER = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *LABELS]
PREFIXES = ["", "CheXpert-v1.0-small/", "CheXpert-v1.0 batch 2 (train 1)\\"]


def path(patient: int, study: int = 1, view: str = "view1_frontal", prefix: str = "") -> str:
    return f"{prefix}train/patient{patient:05}/study{study}/{view}.jpg"


def row(where: str, **labels: str) -> dict[str, object]:
    named = {name.replace("_", " "): value for name, value in labels.items()}
    return {"Path": where, "Sex": "Female", "Age": "60", "Frontal/Lateral": "Frontal", **named}


def read(file: Path, *rows: dict[str, object]) -> list[Kept | Dropped]:
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, HEADER, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return list(read_source(SourceConfig(name="chexpert", path=file)))


def said(result: Kept | Dropped) -> tuple[str, str]:
    assert isinstance(result, Kept), result
    question, answer = result.dialogue.messages
    return question.content.split("\n\n")[1], answer.content


@pytest.mark.parametrize(
    ("labels", "findings", "impression"),
    [
        (
            {"Cardiomegaly": "1.0", "Edema": "-1.0", "Pneumonia": "-1.0", "Fracture": "0.0"},
            "Present: cardiomegaly.\nPossible: pulmonary edema, pneumonia.\nAbsent: fracture.",
            "Cardiomegaly. Possible pulmonary edema and possible pneumonia. No fracture.",
        ),
        (
            {"Lung_Opacity": "1.0", "Atelectasis": "1.0", "Pleural_Effusion": "1"},
            "Present: lung opacity, atelectasis, pleural effusion.",
            "Lung opacity, atelectasis and pleural effusion.",
        ),
        (
            {"Edema": "0", "Pneumothorax": "0.0", "No_Finding": "0.0"},
            "Absent: pulmonary edema, pneumothorax.",
            "No pulmonary edema or pneumothorax.",
        ),
        (
            {"No_Finding": "1.0", "Support_Devices": "1.0"},
            "No abnormal finding.\nPresent: support devices.",
            "No abnormality. Support devices.",
        ),
        ({"No_Finding": "1.0"}, "No abnormal finding.", "No abnormality."),
    ],
)
def test_wording(tmp_path: Path, labels: dict[str, str], findings: str, impression: str) -> None:
    [result] = read(tmp_path / "d", row(path(1), **labels))
    assert said(result) == (findings, impression)


def test_an_uncertain_label_is_never_said_for_sure(tmp_path: Path) -> None:
    every = [label for label in LABELS if label != "No Finding"]
    rows = [row(path(n), **{label: "-1.0"}) for n, label in enumerate(every)]
    for result in read(tmp_path / "d", *rows):
        findings, impression = said(result)
        assert findings.startswith("Possible: ")
        assert impression.startswith("Possible ")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_one_row_a_study_whatever_stands_before_the_patient(tmp_path: Path, prefix: str) -> None:
    paths = [path(1), path(2), path(1, view="view2_lateral", prefix=prefix), path(1, study=2)]
    results = read(tmp_path / "d", *[row(p, Edema="1.0") for p in paths])
    assert [type(result) for result in results] == [Kept, Kept, Dropped, Kept]
    reason = "another image of a study that was read"
    assert results[2] == Dropped("row 3", reason, broken=False)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (row(path(2), Edema="2.0"), "a label other than 1, 0, -1 and blank"),
        (row(path(2), Edema="0.5"), "a label other than 1, 0, -1 and blank"),
        (row(path(2), Edema="yes"), "a label other than 1, 0, -1 and blank"),
        (row(path(2), Edema="inf"), "a label other than 1, 0, -1 and blank"),
        (row(path(2), No_Finding="-1.0"), "No Finding is uncertain"),
        (row(path(2), No_Finding="1.0", Edema="1.0"), "No Finding beside a finding"),
        (row(path(2), No_Finding="1.0", Edema="-1.0"), "No Finding beside a finding"),
        (row("train/view1.jpg", Edema="1.0"), "a path without patient and study"),
        (row("", Edema="1.0"), "a path without patient and study"),
    ],
)
def test_broken_rows(tmp_path: Path, broken: dict[str, object], reason: str) -> None:
    good = [row(path(n), Edema="1.0") for n in (1, 3)]
    results = read(tmp_path / "d", good[0], broken, good[1])
    assert [type(result) for result in results] == [Kept, Dropped, Kept]
    assert results[1] == Dropped("row 2", reason)


def test_a_study_without_labels_is_counted_and_no_fault(tmp_path: Path) -> None:
    [result] = read(tmp_path / "d", row(path(1)))
    assert result == Dropped("row 1", "no label says anything", broken=False)


def test_parquet_writes_a_blank_as_nan(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = [
        {"Path": path(n), **dict.fromkeys(LABELS, math.nan), "Edema": 1.0, "Fracture": None}
        for n in (1, 2)
    ]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "d")
    results = list(read_source(SourceConfig(name="chexpert", path=tmp_path / "d")))
    assert [said(r) for r in results] == [("Present: pulmonary edema.", "Pulmonary edema.")] * 2


def test_a_file_without_the_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("Path,Sex,Age\ntrain/patient00001/study1/v.jpg,Male,60\n")
    with pytest.raises(MedllmError, match="header without No Finding, Enlarged"):
        list(read_source(SourceConfig(name="chexpert", path=tmp_path / "d")))
