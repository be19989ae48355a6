"""A small valid file of every source, invented, in exactly the shape of the real one."""

import json
from dataclasses import dataclass
from pathlib import Path

from medllm.pipeline.config import SourceConfig


@dataclass(frozen=True)
class Sample:
    """A file of a source that gives dialogues only, and what it is joined to."""

    name: str  # of the file; nothing may depend on it
    content: bytes
    notes: bytes | None = None
    kept: int | None = None  # dialogues in it; None: at least one

    def write(self, folder: Path, source: str, content: bytes | None = None) -> SourceConfig:
        """The config of a source that reads this sample, or other bytes in its place."""
        path = folder / self.name
        path.write_bytes(self.content if content is None else content)
        notes = None
        if self.notes is not None:
            notes = folder / "companion"
            notes.write_bytes(self.notes)
        return SourceConfig(name=source, path=path, notes=notes)


def samples() -> dict[str, Sample]:
    """The samples of all groups by the source's name."""
    from tests.pipeline.sources.samples_literature import SAMPLES as LITERATURE
    from tests.pipeline.sources.samples_records import SAMPLES as RECORDS

    return {**SAMPLES, **LITERATURE, **RECORDS}


def json_lines(*rows: object) -> bytes:
    """One JSON value a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


TALK = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": "I cough at night."},
    {"role": "assistant", "content": "Since when?"},
    {"role": "user", "content": "A week."},
    {"role": "assistant", "content": "Do you smoke?"},
]
INSTRUCTED = {
    "instruction": "If you are a doctor, please answer.",
    "input": "My “left” ear\u00a0hurts.",
    "output": "Since when does it hurt?",
}
ICLINIQ = {
    "input": "My knee is swollen.",
    "answer_icliniq": "Did you fall on it?",
    "answer_chatgpt": "Words of a model.",
    "answer_chatdoctor": "Words of another.",
}
RECORD = """\
id=0
https://example.org/a-question

Description
Q. Is the knee worn out?

Dialogue
Patient:
My knee hurts.

It is worse at night.
Doctor:
Since when?

"""
MTS = """\
ID,section_header,section_text,dialogue\r
0,GENHX,"The patient reports ""a bad cough"", worse at night.","Doctor: What brings you in?
Patient: A bad cough, \r
 Gest_family: It is worse at night.
Doctor: Since when?"\r
1,FAM/SOCHX,None.,"Guest_family_1. He works too much.\r
Docotr: What does he do?"
"""

SAMPLES = {
    "healthcaremagic": Sample("hcm.json", json.dumps([INSTRUCTED] * 3, indent=1).encode(), kept=3),
    "icliniq": Sample("iCliniq.json", json.dumps([ICLINIQ] * 2).encode(), kept=2),
    "know_medical_v1": Sample(
        "v1.json",
        json_lines(
            {"instruction": "What is gout?", "output": "A disease of the joints."},
            {"description": "gout", "utterances": ["patient: My toe hurts.", "doctor: Which?"]},
        ),
        kept=2,
    ),
    "know_medical_v2": Sample(
        "v2.json",
        json.dumps(
            [
                {"instruction": "What is gout?", "input": "", "output": "A disease."},
                {"instruction": "Is it rare?", "input": "I am 50.", "output": "No."},
            ]
        ).encode(),
        kept=2,
    ),
    "meddialog": Sample("meddialog.txt", (RECORD * 3).encode(), kept=3),
    "messages": Sample("mine.jsonl", json_lines({"messages": TALK}, {"messages": TALK[1:3]})),
    "mts_dialog": Sample("mts.csv", MTS.encode(), kept=2),
    "mts_dialog_notes": Sample("mts.csv", MTS.encode(), kept=2),
}
