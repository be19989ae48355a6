"""Write both sets: ``python -m benchmarks.privacy.generate --out benchmarks/privacy``.

The same seed gives the same bytes on every machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

from benchmarks.privacy.notes import HERE, Note, fill, load_templates
from benchmarks.privacy.values import development, held_out

SEED = 1996  # the year of the act
SETS = {"development": development.VALUES, "held_out": held_out.VALUES}


def build(name: str, seed: int = SEED) -> str:
    """One of SETS as JSONL, a note a line, in presidio-research's layout with ``hard_negatives``.

    Raises KeyError for a name that is not in SETS.
    """
    negatives = (HERE / "negatives" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    lines = []
    for template in load_templates(name):
        for number in range(template.count):
            note = fill(template, Random(f"{seed}:{template.name}:{number}"), SETS[name], negatives)
            lines.append(json.dumps(_row(note), ensure_ascii=False, separators=(",", ":")))
    return "\n".join(lines) + "\n"


def _row(note: Note) -> dict[str, object]:
    spans = [
        {
            "entity_type": span.type,
            "entity_value": note.text[span.start : span.end],
            "start_position": span.start,
            "end_position": span.end,
        }
        for span in note.spans
    ]
    negatives = [[span.start, span.end] for span in note.negatives]
    return {
        "full_text": note.text,
        "spans": spans,
        "template_id": note.template,
        "hard_negatives": negatives,
    }


def main() -> None:
    """Parse the one option and write the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.privacy.generate")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the files to")
    folder: Path = parser.parse_args().out
    for name in SETS:
        out = folder / f"{name}.jsonl"
        content = build(name).encode("utf-8")
        out.write_bytes(content)
        print(f"{out}: {len(content)} bytes")


if __name__ == "__main__":
    main()
