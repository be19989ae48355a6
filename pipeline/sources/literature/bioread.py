"""BioRead and BioReadLite: passages of PubMed Central's articles, and a sentence with a gap.

The predecessor of BioMRC, in the layout of columns that ``cloze`` describes. Its authors found it
noisy and made BioMRC for that reason.

Source: Pappas et al., "BioRead: A New Dataset for Biomedical Reading Comprehension", LREC 2018.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.literature.cloze import Cloze
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept

NAME = "bioread"
_CLOZE = Cloze(NAME, text="passage", gapped="sentence")


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row; about three and a half times the file is read, in the memory of a row."""
    return _CLOZE.read(file)


SOURCE = Source(
    name=NAME,
    title="BioRead and BioReadLite, cloze questions over PubMed Central's articles",
    size="16.4 million questions (BioRead), 900,000 (BioReadLite)",
    access="from the authors.",
    terms=Terms(
        licence="none stated",
        clause="The authors name no licence; the articles carry licences of their own.",
        url="https://aclanthology.org/events/lrec-2018/",
        publish="review",
    ),
    citation="Pappas et al., LREC 2018.",
    read=read,
    example="{name: bioread, path: data/bioreadlite_train.json.gz, cap: 20000}",
)
