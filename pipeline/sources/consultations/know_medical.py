"""know_medical_dialogues (v1) and know_medical_dialogue_v2.

The card of v1 says ``description, utterances`` (as in MedDialog), its files show ``instruction,
output``: both are read. v2 has ``instruction, input, output`` with an input that is mostly empty;
the prompt format of its project is ``format: know_medical_v2`` in the config.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.consultations.instructions import read_instructions
from medllm.pipeline.sources.consultations.meddialog import parse_row
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row, rows
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept, assemble

V1 = "know_medical_v1"
V2 = "know_medical_v2"


def read_v1(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row of a JSON list, JSON Lines or parquet file, of either layout."""
    for row in rows(file):
        yield row if isinstance(row, Dropped) else _parse_v1(row)


def _parse_v1(row: Row) -> Kept | Dropped:
    if "utterances" in row.value:
        return parse_row(V1, row)
    if not {"instruction", "output"} <= row.value.keys():
        return Dropped(row.where, "no keys utterances, or instruction and output")
    question, answer = row.value["instruction"], row.value["output"]
    if not isinstance(question, str):
        return Dropped(row.where, "instruction is not text")
    if not isinstance(answer, str):
        return Dropped(row.where, "output is not text")
    return assemble(V1, row.where, [("user", question), ("assistant", answer)])


def read_v2(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row of a JSON list, JSON Lines or parquet file; the file is read twice."""
    return read_instructions(V2, file, empty_input=True)


def _terms(url: str) -> Terms:
    return Terms(
        licence="OpenRAIL",
        clause="Its restrictions of use travel on with whatever is made from it.",
        url=url,
        publish="acknowledge",
    )


_V1_ID, _V2_ID = "knowrohit07/know_medical_dialogues", "knowrohit07/know_medical_dialogue_v2"
_HUB = "https://huggingface.co/datasets/"

SOURCES = (
    Source(
        name=V1,
        title="know_medical_dialogues",
        size="480 rows",
        access="from the hub.",
        terms=_terms(_HUB + _V1_ID),
        citation=f"{_HUB}{_V1_ID}",
        read=read_v1,
        hub=_V1_ID,
        example="{name: know_medical_v1, path: data/know_medical_dialogues.json}",
    ),
    Source(
        name=V2,
        title="know_medical_dialogue_v2",
        size="about 6,300 rows",
        access="from the hub.",
        terms=_terms(_HUB + _V2_ID),
        citation=f"{_HUB}{_V2_ID}",
        read=read_v2,
        hub=_V2_ID,
        example="{name: know_medical_v2, path: data/know_med_v2.json, format: know_medical_v2}",
    ),
)
