"""CheXpert Plus: the reports of CheXpert's chest radiographs, cut into sections.

``df_chexpert_plus_240401.csv`` has a row an image: ``path_to_image, …, report, section_findings,
section_impression, …, age, sex, split``. The report repeats at each image of a study, so the first
one counts. Three quarters of the reports have no findings: that is normal and counted. The label
files of the dataset, JSON Lines despite their ``.json``, hold no text and are refused.

Source: Chambon et al., "CheXpert Plus: Augmenting a Large Chest X-ray Dataset with Text Radiology
Reports, Patient Demographics and Additional Image Formats", arXiv 2405.19538.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.records.studies import Studies
from medllm.pipeline.sources.tables import table
from medllm.pipeline.sources.turns import Dropped, Kept, assemble, tidy

NAME = "chexpert_plus"
_COLUMNS = ("path_to_image", "section_findings", "section_impression")


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result an image, a dialogue for the first of each study with both sections."""
    studies = Studies()
    for row in table(file, _COLUMNS):
        if isinstance(row, Dropped):
            yield row
        else:
            yield studies.refuse(row.where, row.value["path_to_image"]) or _parse(row)


def _parse(row: Row) -> Kept | Dropped:
    sections = {}
    for name in ("findings", "impression"):
        value = row.value[f"section_{name}"]
        if value is None or value != value:  # NaN, a blank of pandas
            value = ""
        if not isinstance(value, str):
            return Dropped(row.where, f"section_{name} is not text")
        if not tidy(value):
            return Dropped(row.where, f"a report without {name}", broken=False)
        sections[name] = tidy(value)
    question = (
        "Write the impression for a chest radiograph with these findings.\n\n"
        f"{sections['findings']}"
    )
    return assemble(NAME, row.where, [("user", question), ("assistant", sections["impression"])])


SOURCE = Source(
    name=NAME,
    title="CheXpert Plus, from a report's findings to its impression",
    size="223,462 images of 187,711 reports, a quarter of them with findings",
    access="from Stanford AIMI after registering; only the CSV is read, not the images.",
    terms=Terms(
        licence="Stanford University Dataset Research Use Agreement",
        clause="Research, not commercial; the data are not passed on.",
        url="https://stanfordaimi.azurewebsites.net/datasets/5158c524-d3ab-4e02-96e9-6ee9efc110a1",
        publish="acknowledge",
    ),
    citation="Chambon et al., arXiv 2405.19538.",
    read=read,
    example="{name: chexpert_plus, path: data/df_chexpert_plus_240401.csv}",
)
