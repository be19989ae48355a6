"""CheXpert: fourteen labels on chest radiographs, drawn from their reports by rules.

``train.csv``: ``Path, Sex, Age, Frontal/Lateral, AP/PA`` and the labels, 1.0 present, 0.0 absent,
-1.0 uncertain, blank unmentioned. There is no text: the findings and the impression are worded
here, the same for the same labels. A study's labels are those of its report and stand at each of
its images, so the first one counts. Sex, age and projection say nothing about the labels and stay
out; so only as many different dialogues come of it as there are combinations of labels.

Source: Irvin et al., "CheXpert: A Large Chest Radiograph Dataset with Uncertainty Labels and
Expert Comparison", AAAI 2019, arXiv 1901.07031.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.records.studies import Studies
from medllm.pipeline.sources.tables import table
from medllm.pipeline.sources.turns import Dropped, Kept, assemble

NAME = "chexpert"
State = Literal["present", "possible", "absent"]
_NOTHING = "No Finding"
_DEVICES = "Support Devices"
_WORDS = {
    "Enlarged Cardiomediastinum": "enlargement of the cardiomediastinum",
    "Cardiomegaly": "cardiomegaly",
    "Lung Opacity": "lung opacity",
    "Lung Lesion": "lung lesion",
    "Edema": "pulmonary edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural effusion",
    "Pleural Other": "pleural abnormality other than effusion",
    "Fracture": "fracture",
    _DEVICES: "support devices",
}
_LABELS = (_NOTHING, *_WORDS)
_STATES: dict[float, State] = {1.0: "present", -1.0: "possible", 0.0: "absent"}


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result an image, a dialogue for the first of each study."""
    studies = Studies()
    for row in table(file, ("Path", *_LABELS)):
        if isinstance(row, Dropped):
            yield row
        else:
            yield studies.refuse(row.where, row.value["Path"]) or _parse(row)


def _parse(row: Row) -> Kept | Dropped:
    found: dict[State, list[str]] = {"present": [], "possible": [], "absent": []}
    try:
        states = {label: _state(row.value[label]) for label in _LABELS}
    except (ValueError, OverflowError):
        return Dropped(row.where, "a label other than 1, 0, -1 and blank")
    for label, words in _WORDS.items():
        if state := states[label]:
            found[state].append(words)
    nothing = states[_NOTHING] == "present"
    if states[_NOTHING] == "possible":
        return Dropped(row.where, f"{_NOTHING} is uncertain")
    if nothing and {*found["present"], *found["possible"]} - {_WORDS[_DEVICES]}:
        return Dropped(row.where, f"{_NOTHING} beside a finding")
    if not nothing and not any(found.values()):
        return Dropped(row.where, "no label says anything", broken=False)
    question = (
        "Write the impression for a chest radiograph with these findings.\n\n"
        f"{_findings(found, nothing=nothing)}"
    )
    answer = _impression(found, nothing=nothing)
    return assemble(NAME, row.where, [("user", question), ("assistant", answer)])


def _state(value: object) -> State | None:
    """What a label says, None for blank. Raises ValueError for what is no label."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    number = float(value)
    if math.isnan(number):  # how pandas writes a blank to parquet
        return None
    if number not in _STATES:
        raise ValueError
    return _STATES[number]


def _findings(found: dict[State, list[str]], *, nothing: bool) -> str:
    """A line for each state, such as "Present: cardiomegaly, fracture."."""
    lines = [
        f"{state.capitalize()}: {', '.join(words)}." for state, words in found.items() if words
    ]
    return "\n".join(["No abnormal finding.", *lines] if nothing else lines)


def _impression(found: dict[State, list[str]], *, nothing: bool) -> str:
    """One sentence for each state, what is present first."""
    sentences = ["No abnormality."] if nothing else []
    if found["present"]:
        sentences.append(_sentence(found["present"], "and"))
    if found["possible"]:
        sentences.append(_sentence([f"possible {words}" for words in found["possible"]], "and"))
    if found["absent"]:
        sentences.append(f"No {_listed(found['absent'], 'or')}.")
    return " ".join(sentences)


def _sentence(words: list[str], last: str) -> str:
    said = _listed(words, last)
    return f"{said[:1].upper()}{said[1:]}."


def _listed(words: list[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


SOURCE = Source(
    name=NAME,
    title="CheXpert, an impression from the labels of a chest radiograph",
    size="223,414 images of 187,641 studies in train.csv",
    access="from Stanford AIMI after registering; only train.csv is read, not the images.",
    terms=Terms(
        licence="Stanford University School of Medicine CheXpert Dataset Research Use Agreement",
        clause="Research, not commercial; the data are not passed on.",
        url="https://stanfordmlgroup.github.io/competitions/chexpert/",
        publish="acknowledge",
    ),
    citation="Irvin et al., AAAI 2019, arXiv 1901.07031.",
    read=read,
    example="{name: chexpert, path: data/CheXpert-v1.0-small/train.csv, cap: 5000}",
)
