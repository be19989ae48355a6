"""Write the demo data: ``python -m demo.generate --out demo/data``.

The same seed gives the same bytes on every machine: nothing here reads a clock, a locale or the
order of a directory.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

from demo import writers
from demo.conditions import load_conditions
from demo.corpus import build_corpus
from demo.questions import build_items

SEED = 20


def build(seed: int = SEED) -> dict[str, str]:
    """File name -> contents. Each file has its own stream of random numbers."""
    conditions = load_conditions()
    items = build_items(conditions, Random(f"{seed}:questions"))
    plant_into = writers.Planting(Random(f"{seed}:phi"))
    files = {
        "healthcaremagic.json": writers.healthcaremagic(
            conditions, items, plant_into, Random(f"{seed}:healthcaremagic")
        ),
        "meddialog.txt": writers.meddialog_text(
            plant_into("meddialog.txt", writers.raw_talks(conditions, Random(f"{seed}:raw")))
        ),
        "meddialog.json": writers.meddialog_json(
            conditions, plant_into, Random(f"{seed}:utterances")
        ),
        "questions.jsonl": writers.questions_jsonl(items),
        "corpus.txt": build_corpus(conditions, Random(f"{seed}:corpus")),
    }
    rows = [json.dumps(row, ensure_ascii=False) + "\n" for row in plant_into.rows]
    files["planted_phi.jsonl"] = "".join(rows)
    return files


def main() -> None:
    """Parse the one option and write the files."""
    parser = argparse.ArgumentParser(prog="python -m demo.generate", description="Write demo data.")
    parser.add_argument("--out", type=Path, required=True, help="directory to write into")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, text in build().items():
        (out / name).write_bytes(text.encode("utf-8"))
        print(f"{out / name}: {len(text.encode('utf-8'))} bytes")


if __name__ == "__main__":
    main()
