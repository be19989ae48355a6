"""ChatDoctor's iCliniq-10k: a patient's question and three answers, one of them a doctor's.

``answer_icliniq`` is the doctor's. ``answer_chatgpt`` and ``answer_chatdoctor`` are models' words
and never read.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row, rows
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept, assemble

NAME = "icliniq"


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row of a JSON list, JSON Lines or parquet file."""
    for row in rows(file):
        yield row if isinstance(row, Dropped) else _parse(row)


def _parse(row: Row) -> Kept | Dropped:
    question, answer = row.value.get("input"), row.value.get("answer_icliniq")
    for key, value in (("input", question), ("answer_icliniq", answer)):
        if key not in row.value:
            return Dropped(row.where, f"no key {key}")
        if not isinstance(value, str):
            return Dropped(row.where, f"{key} is not text")
    return assemble(NAME, row.where, [("user", str(question)), ("assistant", str(answer))])


SOURCE = Source(
    name=NAME,
    title="iCliniq-10k of ChatDoctor, the doctors' answers only",
    size="about 7,300 consultations of one exchange",
    access="from the hub, or the authors' repository.",
    terms=Terms(
        licence="none stated",
        clause="Scraped from icliniq.com, whose terms forbid copying.",
        url="https://huggingface.co/datasets/lavita/ChatDoctor-iCliniq",
        publish="review",
    ),
    citation='Li et al., "ChatDoctor", arXiv 2303.14070.',
    read=read,
    hub="lavita/ChatDoctor-iCliniq",
    example="{name: icliniq, path: data/iCliniq.json}",
)
