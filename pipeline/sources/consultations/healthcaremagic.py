"""ChatDoctor's HealthCareMagic-100k, and every dataset of its shape.

In HealthCareMagic the instruction is the same sentence in each row.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.consultations.instructions import read_instructions
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept

NAME = "healthcaremagic"


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row of a JSON list, JSON Lines or parquet file; the file is read twice."""
    return read_instructions(NAME, file)


SOURCE = Source(
    name=NAME,
    title="ChatDoctor-HealthCareMagic-100k, and files of its shape",
    size="about 112,000 consultations of one exchange",
    access="from the hub, or the authors' repository.",
    terms=Terms(
        licence="none stated",
        clause="Scraped from a consultation site; nobody has cleared the rights in the texts.",
        url="https://huggingface.co/datasets/lavita/ChatDoctor-HealthCareMagic-100k",
        publish="review",
    ),
    citation='Li et al., "ChatDoctor", arXiv 2303.14070.',
    read=read,
    hub="lavita/ChatDoctor-HealthCareMagic-100k",
    example="{name: healthcaremagic, path: data/HealthCareMagic-100k.json}",
)
