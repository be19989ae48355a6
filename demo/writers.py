"""The three dialogue files, in the shapes their real counterparts have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from demo.conditions import Condition
from demo.consultations import Dialogue, Turn, questions_about, several, single
from demo.phi import Planted, plant
from demo.questions import Item

INSTRUCTION = "You are a doctor. Answer the patient's message clearly and with care."

#: Dialogues of each condition in each file, and the talk lengths (exchanges) of the two others.
SINGLES, RAW_LENGTHS, UTTERANCE_LENGTHS = 6, (2, 3, 2, 2), (2, 2)
#: Every this many dialogues one carries personal data: 5 in 100.
PHI_EVERY = 20
#: Position in meddialog.txt at which the ids begin again at 1, as they do in each real file.
RESTART_AT = 148


@dataclass
class Planting:
    """Which dialogues get personal data, and the record of where they stand."""

    rng: Random
    done: int = 0
    rows: list[dict[str, object]] = field(default_factory=list)

    def __call__(self, file: str, dialogues: Sequence[Dialogue]) -> list[Dialogue]:
        """Plant into every PHI_EVERY-th consultation; ``row`` counts from 0 in the final file."""
        out = []
        for position, dialogue in enumerate(dialogues):
            if position % PHI_EVERY == 7:
                dialogue, planted = plant(dialogue, self.done, self.rng)
                self.done += 1
                self.rows += [_row(file, position, value) for value in planted]
            out.append(dialogue)
        return out


def _row(file: str, row: int, planted: Planted) -> dict[str, object]:
    return {"file": file, "row": row, "type": planted.type, "value": planted.value}


def healthcaremagic(
    conditions: Sequence[Condition], items: Sequence[Item], plant_into: Planting, rng: Random
) -> str:
    """JSON rows ``instruction, input, output``: consultations, questions and training items.

    A few answers keep what the real set is known for: the boiler-plate "Chat Doctor" sentences
    (every 31st) and line-break tags (every 53rd).
    """
    talks = [single(c, v, rng) for c in conditions for v in range(SINGLES)]
    talks += [talk for c in conditions for talk in questions_about(c, rng)]
    rng.shuffle(talks)
    talks = plant_into("healthcaremagic.json", talks)
    pairs = [_worn(n, talk.turns[0].text, talk.turns[1].text) for n, talk in enumerate(talks)]
    training = [(item.prompt, item.reply) for item in items if not item.held_out]
    rng.shuffle(training)
    rows = [
        {"instruction": INSTRUCTION, "input": asked, "output": answer}
        for asked, answer in [*pairs, *training]
    ]
    return json.dumps(rows, ensure_ascii=False, indent=0) + "\n"


def _worn(number: int, asked: str, answer: str) -> tuple[str, str]:
    """Add the traces that scraped answers carry to some of them."""
    if number % 31 == 3:
        answer = f"Hi, Welcome to Chat Doctor. {answer} Thanks for using Chat Doctor."
    if number % 53 == 5:
        answer = answer.replace(". ", ".<br />", 1)
    return asked, answer


def raw_talks(conditions: Sequence[Condition], rng: Random) -> list[Dialogue]:
    """The dialogues of meddialog.txt, shuffled."""
    talks = [several(c, v, n, rng) for c in conditions for v, n in enumerate(RAW_LENGTHS)]
    rng.shuffle(talks)
    return talks


def meddialog_text(talks: Sequence[Dialogue]) -> str:
    """MedDialog's raw text with its traps, placed by position so that a test can find them."""
    records = []
    for position, talk in enumerate(talks):
        number = position + 1 if position < RESTART_AT else position - RESTART_AT + 1
        turns = list(_trapped(position, talk.turns))
        lines = [f"id={number}", f"https://example.org/medical-questions/{position + 1001}", ""]
        lines += ["Description", talk.about, "", "Dialogue"]
        for turn in turns:
            lines += [f"{turn.speaker.capitalize()}:", turn.text, ""]
        records.append("\n".join(lines))
    return "\n".join(records)


def _trapped(position: int, turns: Sequence[Turn]) -> Sequence[Turn]:
    """Bend some records: see the table in demo/README.md."""
    last = turns[-1]
    if position % 29 == 4:  # one speaker twice in a row
        head, _, tail = last.text.partition(". ")
        return [*turns[:-1], Turn(last.speaker, f"{head}."), Turn(last.speaker, tail)]
    if position % 29 == 9:  # no-break spaces and typographic quotes
        text = last.text.replace(" ", "\u00a0", 3).replace("'", "\u2019")
        first = f"\u201c{turns[0].text}\u201d"
        return [Turn("patient", first), *turns[1:-1], Turn(last.speaker, text)]
    if position % 29 == 15:  # a blank line inside a turn
        return [*turns[:-1], Turn(last.speaker, last.text.replace(". ", ".\n\n", 1))]
    if position % 29 == 21:  # an odd number of turns
        return [*turns, Turn("patient", "Thank you, doctor.")]
    return turns


def meddialog_json(conditions: Sequence[Condition], plant_into: Planting, rng: Random) -> str:
    """JSON rows ``description, utterances``, each utterance led by its speaker and a colon."""
    talks = [
        several(c, v + len(RAW_LENGTHS) + 1, n, rng)
        for c in conditions
        for v, n in enumerate(UTTERANCE_LENGTHS)
    ]
    rng.shuffle(talks)
    rows = [
        {"description": t.about, "utterances": [f"{u.speaker}: {u.text}" for u in t.turns]}
        for t in plant_into("meddialog.json", talks)
    ]
    return json.dumps(rows, ensure_ascii=False, indent=0) + "\n"


def questions_jsonl(items: Sequence[Item]) -> str:
    """The held-out items, one JSON object a line."""
    rows = [
        {
            "id": item.id,
            "family": item.family.name,
            "condition": item.condition.id,
            "phrasing": item.phrasing,
            "question": item.question,
            "options": item.family.options,
            "answer": item.answer,
        }
        for item in items
        if item.held_out
    ]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
