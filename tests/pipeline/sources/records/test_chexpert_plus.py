"""CheXpert Plus: one row a study, sections that are missing, label files that are no reports."""

import csv
import json
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept

HEADER = ["path_to_image", "frontal_lateral", "deid_patient_id", "patient_report_date_order"]
HEADER += ["report", "section_findings", "section_impression", "age", "sex", "split"]


def row(
    image: str, findings: object = "Clear lungs.", impression: object = "Normal."
) -> dict[str, object]:
    return {
        "path_to_image": f"train/{image}",
        "report": "FINDINGS and the rest",
        "section_findings": findings,
        "section_impression": impression,
        "split": "train",
    }


def read(file: Path, *rows: dict[str, object]) -> list[Kept | Dropped]:
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, HEADER, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return list(read_source(SourceConfig(name="chexpert_plus", path=file)))


def said(result: Kept | Dropped) -> list[str]:
    assert isinstance(result, Kept), result
    return [message.content for message in result.dialogue.messages]


def test_findings_to_impression_with_line_breaks_inside(tmp_path: Path) -> None:
    [result] = read(
        tmp_path / "d",
        row(
            "patient00001/study1/v1.jpg", '\n The "left" base,\nis clear. ', "\n1. NORMAL.\n2. —\n"
        ),
    )
    assert said(result) == [
        "Write the impression for a chest radiograph with these findings.\n\n"
        'The "left" base,\nis clear.',
        "1. NORMAL.\n2. —",
    ]


def test_a_report_counts_once_a_study(tmp_path: Path) -> None:
    images = ["patient00001/study1/v1.jpg", "patient00001/study2/v1.jpg"]
    images += ["patient00001/study1/v2.jpg", "patient00011/study1/v1.jpg"]
    results = read(tmp_path / "d", *map(row, images))
    assert [type(result) for result in results] == [Kept, Kept, Dropped, Kept]
    reason = "another image of a study that was read"
    assert results[2] == Dropped("row 3", reason, broken=False)


@pytest.mark.parametrize("blank", ["", " \n"])
def test_missing_sections_are_counted_and_no_fault(tmp_path: Path, blank: str) -> None:
    image = "patient0000{}/study1/v1.jpg"
    results = read(
        tmp_path / "d", row(image.format(1), blank), row(image.format(2), impression=blank)
    )
    assert results == [
        Dropped("row 1", "a report without findings", broken=False),
        Dropped("row 2", "a report without impression", broken=False),
    ]


def test_parquet_and_its_blanks(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = [row(f"patient0000{n}/study1/v.jpg") for n in (1, 2)]
    table[1]["section_findings"] = None
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "d")
    first, second = read_source(SourceConfig(name="chexpert_plus", path=tmp_path / "d"))
    assert said(first)[1] == "Normal."
    assert second == Dropped("row 2", "a report without findings", broken=False)


def test_broken_rows(tmp_path: Path) -> None:
    lines = [
        row("patient00001/study1/v.jpg", float("nan")),
        row("patient00002/study1/v.jpg", 7),
        row("patient00003/v.jpg"),
        row("patient00004/study1/v.jpg", "\x00"),
    ]
    (tmp_path / "d").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert list(read_source(SourceConfig(name="chexpert_plus", path=tmp_path / "d"))) == [
        Dropped("line 1", "a report without findings", broken=False),
        Dropped("line 2", "section_findings is not text"),
        Dropped("line 3", "a path without patient and study"),
        Dropped("line 4", "NUL character in the text"),
    ]


def test_the_label_files_are_refused(tmp_path: Path) -> None:
    label = {"path_to_image": "train/patient00001/study1/v.jpg", "Edema": 1.0, "Fracture": None}
    (tmp_path / "impression_fixed.json").write_text((json.dumps(label) + "\n") * 3)
    with pytest.raises(MedllmError, match="none of its 3 rows has all of path_to_image, section_"):
        list(read_source(SourceConfig(name="chexpert_plus", path=tmp_path)))
