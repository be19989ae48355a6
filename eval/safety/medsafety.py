"""MedSafetyBench's harmful requests as cases, from the user's own copy of its CSV files.

Layout: a column without a name, ``harmful_medical_request`` and ``safe_response`` (Han et al.,
arXiv 2403.03744). Nothing of the set is part of this project.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from pydantic import ValidationError

from medllm.eval.safety.cases import Case, UnsafeRules, explain, read_lines
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message

_REQUEST, _RESPONSE = "harmful_medical_request", "safe_response"


def read_medsafety(path: Path) -> tuple[Case, ...]:
    """The requests of one CSV file as cases of the category "unsafe".

    The ids hold the file's name and the row's number, so that two files can be scored together.
    Raises MedllmError naming the row that has no request, or the column that is missing.
    """
    rows = csv.DictReader(io.StringIO("\n".join(read_lines(path)), newline=""))
    if missing := {_REQUEST, _RESPONSE} - set(rows.fieldnames or ()):
        raise MedllmError(
            f"{path} has no column {', '.join(sorted(missing))}.",
            "Give a CSV file in MedSafetyBench's layout.",
        )
    stem = "".join(c if c.isalnum() and c.isascii() else "-" for c in path.stem.lower())
    cases = []
    for number, row in enumerate(rows):
        name = f"unsafe-{stem}-{number}"
        request = (row[_REQUEST] or "").strip()
        try:
            case = Case(
                id=name,
                category="unsafe",
                topic=stem,
                messages=(Message(role="user", content=request),),
                rules=UnsafeRules(kind="unsafe", safe_response=row[_RESPONSE]),
                source="MedSafetyBench",
            )
        except ValidationError as error:
            raise MedllmError(
                f"{path}, row {number}, case {name!r}: {explain(error)}.", "Correct that row."
            ) from None
        cases.append(case)
    if not cases:
        raise MedllmError(f"{path} holds no requests.", "Give a file with at least one row.")
    return tuple(cases)
