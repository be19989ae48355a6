"""Shapes of numbers that identify without a label, and those of medicine that identify nobody."""

from __future__ import annotations

import re

LONG = re.compile(r"(?<![\w.,/-])(?:[A-Za-z]{1,5}[-#]?)?\d{6,20}(?![\w%/]|[.,]\d)")
_CITED = re.compile(
    r"(?:PMID|PMC|NCT|DOI|ISBN|ICD(?:-?\d+)?|CPT|HCPCS|LOINC|SNOMED|NDC|RxCUI|RXNORM|DRG|OMIM|"
    r"MIM|CAS|"
    r"ISSN|ISRCTN|UMLS|CUI|MeSH|ATC|EC|GTIN|UPC)(?:[ ]?(?:code|no|number))?[ :#.]*$",
    re.IGNORECASE,
)
_NO_ID = re.compile(
    r"(?:NCT|PMC|PMID|DOI|RS|NM|NP|ICD|CPT|ISBN|ISRCTN|COVID|SARS|mRNA|BNT)\W?\d", re.I
)
_SHAPES = re.compile(
    r"\d{7,20}"
    r"|[A-Z]{1,4}-?\d{5,}(?:-?[A-Z\d]{1,4})?|\d{6,}-?[A-Z]{1,2}|[a-z]{2,4}\d{6,}"
    r"|(?=(?:\D*\d){7})[A-Z]{0,4}\d*(?:-[A-Z]?\d+){1,4}[A-Z]?|\d{2,4}-\d\d-\d\d"
    r"|(?=(?:\D*\d){7})\d{2,4}(?:[-. ]\d{2,4}){2,4}(?:-[A-Z\d]{1,2})?"
    r"|(?=(?:\D*\d){5})(?=\d*[A-Z])[A-Z\d]{7,}|(?=(?:\D*\d){4})[A-Z]{1,6}(?:[-/][A-Z\d]+){2,4}"
    r"|(?=(?:\D*\d){4})(?=\d*[A-Z])[A-Z]{2,5}[-/#]\d{3,}(?:[-/]?[A-Z\d]{1,5})*"
    r"|[A-Z]{1,4}\d{2,4}[-/]\d{2,}|\d{2,}[A-Z]{1,3}[-/]?\d{3,}|[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]"
    r"|(?=(?:\D*\d){7})[A-Z]{1,4}\d*(?:[ ]\d{2,5}){1,4}|\d{3,5}(?:[ ]\d{3,5}){2,3}"
    r"|\d{2}:[A-Z]{1,3}\d{4,}|[A-Z]{5}\d{4}[A-Z]"
)
"""Values that need no label: what else is so long, or has such groups, counts or measures."""
_ROUND = re.compile(
    r"000$|^\d+[05]0-\d+[05]0$|^(?:19|20)\d\d-(?:19|20)\d\d$|^\d{5}-\d\d$|^\d*[05](?:-\d?[05])+$|"
    r"^[A-Z]{2,5}-\d{1,3}$"
)


DECIMAL = re.compile(r"\d{1,5}\.\d+(?:[-:/]\d{1,5}\.\d+)*")
"""A measured value, a ratio or an interval."""


def cited(text: str, start: int) -> bool:
    """Whether the number at ``start`` is a publication's, a trial's or a code's."""
    return (
        _CITED.search(text, max(0, start - 20), start) is not None
        or _NO_ID.match(text, start) is not None
    )


def has_shape(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` identifies by its shape alone."""
    return (
        _SHAPES.fullmatch(text, start, end) is not None
        and not _ROUND.search(text[start:end])
        and not DECIMAL.search(text, start, end)
        and not cited(text, start)
    )
