"""PMC-Patients: summaries of patients, taken from case reports in PubMed Central.

Columns ``patient_id, patient_uid, PMID, file_path, title, patient, age, gender,
relevant_articles, similar_patients``. V1 is CSV, with ``age`` (``[[1.0, 'year'], [2.0, 'month']]``)
as text; V2 is a JSON list. What the annotations support is asked: age and sex, and the title of
the article, which several patients may share. The other two columns hold ids of articles and
patients, no text, and are not read: that ``similar_patients`` is sometimes a list is of no concern.

Source: Zhao et al., "A large-scale dataset of patient summaries for retrieval-based clinical
decision support systems", Scientific Data 2023, arXiv 2202.13876.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.literals import literal
from medllm.pipeline.sources.reading import Row
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.tables import table
from medllm.pipeline.sources.turns import Dropped, Kept, Turn, assemble, tidy

NAME = "pmc_patients"
_COLUMNS = ("title", "patient", "age", "gender")
_SEXES = {"M": "male", "F": "female"}
_IN_A_YEAR = {"year": 1, "month": 12, "week": 52, "day": 365, "hour": 8760}
_OLDEST = 130  # years


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a patient: the summary, then one exchange each for age and sex, and for title."""
    for row in table(file, _COLUMNS):
        yield row if isinstance(row, Dropped) else _parse(row)


def _parse(row: Row) -> Kept | Dropped:
    patient, title, gender = (row.value[key] for key in ("patient", "title", "gender"))
    if not isinstance(patient, str) or not isinstance(title, str):
        return Dropped(row.where, "patient or title is not text")
    if not tidy(patient):
        return Dropped(row.where, "no patient summary")
    try:
        age = _age(row.value["age"])
    except ValueError as error:
        return Dropped(row.where, str(error))
    if gender not in (None, "", *_SEXES):
        return Dropped(row.where, "gender is neither M nor F")
    asked: list[tuple[str, str]] = []
    if age and gender:
        answer = f"Age: {age}. Sex: {_SEXES[str(gender)]}."
        asked.append(("What are the age and sex of the patient?", answer))
    if tidy(title):
        asked.append(("Suggest a title for the article that reports this case.", title))
    if not asked:
        return Dropped(row.where, "neither age and sex nor title", broken=False)
    turns: list[Turn] = []
    for question, answer in asked:
        turns += [("user", question), ("assistant", answer)]
    turns[0] = ("user", f"{tidy(patient)}\n\n{turns[0][1]}")
    result = assemble(NAME, row.where, turns)
    if isinstance(result, Dropped) or len(asked) == 2:
        return result
    return replace(result, changes={**result.changes, "age and sex, or title, not annotated": 1})


def _age(value: object) -> str:
    """``[[1.0, "year"], [2.0, "month"]]``, or the same as text, as "1 year 2 months"; "" for none.

    Raises ValueError with the reason why it cannot be used.
    """
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        try:
            value = literal(value)
        except ValueError as error:
            raise ValueError(f"age is {error}") from None
    if not isinstance(value, list):
        raise ValueError("age is not a list")
    parts, years = [], 0.0
    for entry in value:
        if not isinstance(entry, list | tuple) or len(entry) != 2:
            raise ValueError("age is not made of pairs")
        number, unit = entry
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError("age is not a number")
        if not isinstance(unit, str) or unit not in _IN_A_YEAR:
            raise ValueError("age in an unknown unit")
        if not 0 <= number <= _OLDEST * _IN_A_YEAR[unit]:  # NaN neither
            raise ValueError("age outside its range")
        years += number / _IN_A_YEAR[unit]
        parts.append(f"{number:g} {unit}{'' if number == 1 else 's'}")
    if years > _OLDEST:
        raise ValueError("age outside its range")
    return " ".join(parts)


SOURCE = Source(
    name=NAME,
    title="PMC-Patients, from a patient's summary to age and sex and to a title",
    size="167,034 patients (V1, CSV) or 250,294 (V2, JSON)",
    access="from the hub or figshare. V2 holds V1's patients: take one of the two files.",
    terms=Terms(
        licence="CC BY-NC-SA 4.0",
        clause="Not commercial, authors named, and what is made from it under the same licence.",
        url="https://github.com/pmc-patients/pmc-patients",
        publish="acknowledge",
    ),
    citation="Zhao et al., Scientific Data 2023, arXiv 2202.13876.",
    read=read,
    hub="zhengyun21/PMC-Patients",
    example="{name: pmc_patients, path: data/PMC-Patients-V2.json}",
)
