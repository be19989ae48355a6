"""The LICENSE layers of a model: the base's own texts, Llama 2's Notice, and the data's authors.

Source of what must go with the weights: the Llama 2 Community License Agreement, section 1.b (a
copy of the agreement, the Notice, and use within the Acceptable Use Policy). No legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from medllm.pipeline.data.reporting.report import PrepareReport
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import read_manifest
from medllm.pipeline.release.modelfile_syntax import dropped_by_ollama

LLAMA2_NOTICE = (
    "Llama 2 is licensed under the LLAMA 2 Community License, "
    "Copyright (c) Meta Platforms, Inc. All Rights Reserved."
)
_LLAMA2 = "LLAMA 2 COMMUNITY LICENSE"
_FILES = ("LICENSE*", "LICENCE*", "USE_POLICY*", "NOTICE*")  # whatever their case, in this order
# Words that only the whole text holds: a page that merely names the licence does not pass for it.
_WHOLE_LICENCE = ("LLAMA 2 COMMUNITY LICENSE AGREEMENT", "REDISTRIBUTION", "GOVERNING LAW")
_WHOLE_POLICY = ("ACCEPTABLE USE POLICY", "PROHIBITED USES")


def base_licences(base: Path) -> tuple[str, ...]:
    """The licence texts in stage base's folder, and the Notice where Llama 2 asks for it.

    Raises MedllmError for a file that is not UTF-8 text.
    """
    texts = tuple(_texts(base).values())
    whole = _folded(texts)
    if _LLAMA2 in whole and LLAMA2_NOTICE.upper() not in whole:
        return (*texts, LLAMA2_NOTICE)
    return texts


def missing_licence_texts(base: Path) -> tuple[str, ...]:
    """What a public push lacks of the base model's licence texts, in words; empty: nothing.

    ``base`` is stage base's folder. A base that was made here has no licence but the project's.
    Raises MedllmError for a file that is not UTF-8 text.
    """
    source = str(read_manifest(base).config.get("source", ""))
    if source == "tiny":
        return ()
    texts = _texts(base)
    licences = [t for name, t in texts.items() if fnmatch(name.upper(), "LICEN[SC]E*")]
    missing = [] if licences else ["the licence of the base model (LICENSE.txt)"]
    whole = _folded(texts.values())
    if _LLAMA2 in whole or re.search(r"llama[-_ ]?2", source, re.IGNORECASE):
        if licences and not _holds(licences, _WHOLE_LICENCE):
            missing.append("the whole Llama 2 Community License Agreement (LICENSE.txt)")
        if not _holds(texts.values(), _WHOLE_POLICY):
            missing.append("the Llama 2 Acceptable Use Policy (USE_POLICY.md)")
    return tuple(missing)


def data_attribution(report: PrepareReport) -> str:
    """Whose data the model learnt from and under which terms; empty when all of it is your own."""
    lines = [
        f"{source.title} ({source.terms.licence}): {source.terms.clause} {source.terms.url}"
        + (f"\n  Cite: {source.citation}" if source.citation else "")
        for source in {one.title: one for one in report.sources}.values()
        if source.rows_kept and source.terms.url
    ]
    if not lines:
        return ""
    head = (
        "Data that this model was fine-tuned on, chosen, cleaned and recast as dialogues by "
        "medllm, with the terms that their authors state:"
    )
    return printable("\n".join([head, *(f"- {line}" for line in sorted(lines))]))


def printable(text: str) -> str:
    """A text in characters that Ollama keeps: other line ends and blanks become plain ones."""
    lines = "\n".join(text.splitlines())
    spaced = "".join(" " if c.isspace() and c not in "\n\t" else c for c in lines)
    return "".join(c for c in spaced if not dropped_by_ollama(c)).replace('"""', "'''").strip()


def _texts(base: Path) -> Mapping[str, str]:
    """File name -> text of every licence file that holds one."""
    names = read_manifest(base).matching(("*",))
    found = {}
    for pattern in _FILES:
        for name in (name for name in names if fnmatch(name.upper(), pattern)):
            try:
                text = printable((base / name).read_bytes().decode("utf-8-sig"))
            except UnicodeDecodeError as error:
                raise MedllmError(
                    f"{base / name} is not UTF-8 at byte {error.start}.",
                    "Save the base model's licence as UTF-8 and run stage base again.",
                ) from None
            if text:
                found[name] = text
    return found


def _folded(texts: Iterable[str]) -> str:
    """Texts in capitals with single blanks, for looking words up."""
    return " ".join(" ".join(texts).split()).upper()


def _holds(texts: Iterable[str], words: tuple[str, ...]) -> bool:
    """Whether one of the texts has all the words."""
    return any(all(word in _folded((text,)) for word in words) for text in texts)
