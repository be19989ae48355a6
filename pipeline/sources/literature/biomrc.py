"""BioMRC: abstracts of PubMed, and their titles with one entity replaced by ``XXXX``.

Setting A numbers an entity alike in all rows and names it, setting B numbers them anew in each
row; ``cloze`` tells the two and the layout. The large files are of 2 GB unpacked and more.

Source: Pappas et al., "BioMRC: A Dataset for Biomedical Machine Reading Comprehension", BioNLP
2020, arXiv 2005.06376.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.literature.cloze import Cloze
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept

NAME = "biomrc"
_CLOZE = Cloze(NAME, text="abstract", gapped="title")


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row; about three and a half times the file is read, in the memory of a row."""
    return _CLOZE.read(file)


SOURCE = Source(
    name=NAME,
    title="BioMRC, cloze questions over PubMed's abstracts, settings A and B",
    size="812,707 questions (large), 100,000 (small)",
    access="from the Internet Archive, item biomrc_dataset, .json.gz.",
    terms=Terms(
        licence="none stated",
        clause="The authors name no licence; the abstracts belong to their publishers.",
        url="https://archive.org/details/biomrc_dataset",
        publish="review",
    ),
    citation="Pappas et al., BioNLP 2020, arXiv 2005.06376.",
    read=read,
    example="{name: biomrc, path: data/dataset_train.json.gz, cap: 20000}",
)
