"""How fast is `prepare`, and against `datasets.map` over stock Presidio?

    .venv/bin/python -m benchmarks.prepare --base build/demo/base

The 112,000 rows have HealthCareMagic-100k's shape and length. The hub's card counts 126,454,896
bytes for its 112,165 rows, 1,030 characters a row without the instruction that all share;
ChatDoctor's 5,452 rows, which these are made of, have 370. So a row is the questions of two to five
of ChatDoctor's rows after one another, and their answers, up to a length drawn from a log-normal
distribution. Further, as HealthCareMagic has them: a name, a date and a telephone
number, all invented, in front of every fifth question; a site's formulas around two answers of
five. One row in a hundred repeats an earlier one, and two in a hundred repeat one with a word
changed.

Both ways get the same rows and the same two processes. Stock Presidio is AnalyzerEngine and
AnonymizerEngine with their predefined recognizers, offline (a blank spaCy model; with its default
model, which names need, it is slower still), called row by row from `datasets.map`. It only
de-identifies; medllm's time holds reading, cleaning, overlap with three evaluation sets,
de-identification, both kinds of duplicates, the split, token counts, the second scan and the card.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from medllm.pipeline.config import PrepareConfig
from medllm.pipeline.data.prepare import write_dialogues

DATA = Path("../shared/data")
SOURCE = DATA / "chatdoctor" / "chatdoctor5k.json"
EVALUATION = [
    DATA / "mmlu" / f"{name}_test.csv"
    for name in ("anatomy", "clinical_knowledge", "professional_medicine")
]
FIRST = ("Maria", "Ahmed", "Joan", "Peter", "Li", "Olga", "Ruth", "Samuel")
LAST = ("Hernandez", "Miller", "Okafor", "Svensson", "Tanaka", "Brandt", "Lewis", "Costa")
OPENINGS = ("Hi, thanks for using Chat Doctor. ", "Hello and welcome to Chat Doctor. ")
CLOSINGS = (" Hope this answers your query. Take care.", " Regards, Chat Doctor.")
CHARACTERS = 630  # median of the length that the drawn parts must reach: rows then have 1,030
SPREAD = 0.5  # of the logarithm of the length


def make_rows(count: int, seed: int = 7) -> list[dict[str, str]]:
    """``count`` rows of HealthCareMagic's shape, as the module says."""
    real = json.loads(SOURCE.read_text(encoding="utf-8"))
    draw = random.Random(seed)
    rows: list[dict[str, str]] = []
    for number in range(count):
        kind = number % 100
        if kind in (33, 66, 99):
            row = dict(draw.choice(rows))
            if kind != 33:
                words = row["output"].split(" ")
                words[draw.randrange(len(words))] = "perhaps"
                row["output"] = " ".join(words)
        else:
            row = _row(real, draw, math.exp(draw.gauss(math.log(CHARACTERS), SPREAD)))
            if number % 5 == 0:
                row["input"] = f"{_introduction(draw)} {row['input']}"
            if number % 5 in (1, 2):
                row["output"] = draw.choice(OPENINGS) + row["output"] + draw.choice(CLOSINGS)
        rows.append(row)
    return rows


def _row(real: list[dict[str, str]], draw: random.Random, length: float) -> dict[str, str]:
    """Two to five rows in one: their questions, and their answers, after one another."""
    parts: list[dict[str, str]] = []
    while len(parts) < 2 or (
        len(parts) < 5 and sum(len(p["input"]) + len(p["output"]) for p in parts) < length
    ):
        parts.append(draw.choice(real))
    texts = {key: " ".join(part[key] for part in parts) for key in ("input", "output")}
    return {"instruction": real[0]["instruction"], **texts}


def _introduction(draw: random.Random) -> str:
    """A sentence with a name, a date and a telephone number, all invented."""
    name = f"{draw.choice(FIRST)} {draw.choice(LAST)}"
    day = f"{draw.randint(1, 12)}/{draw.randint(1, 28)}/{draw.randint(1990, 2022)}"
    phone = f"({draw.randint(200, 989)}) 555-{draw.randint(100, 199):04d}"
    return f"My name is {name}, seen on {day}, phone {phone}."


def stock_presidio(rows: list[dict[str, str]], processes: int) -> float:
    """Seconds of `datasets.map` over stock Presidio."""
    import datasets

    datasets.disable_caching()
    data = datasets.Dataset.from_list(rows)
    started = time.perf_counter()
    data.map(_stock_row, num_proc=processes, desc="stock Presidio")
    return time.perf_counter() - started


_engines: Any = None


def _stock_row(row: dict[str, str]) -> dict[str, str]:
    global _engines
    if _engines is None:
        import spacy
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
        from presidio_anonymizer import AnonymizerEngine

        class Blank(SpacyNlpEngine):
            def load(self) -> None:
                self.nlp = {"en": spacy.blank("en")}

        engine = Blank(models=[{"lang_code": "en", "model_name": "blank"}])
        engine.load()
        _engines = AnalyzerEngine(nlp_engine=engine), AnonymizerEngine()
    analyzer, anonymizer = _engines
    return {
        key: anonymizer.anonymize(row[key], analyzer.analyze(row[key], language="en")).text
        for key in ("input", "output")
    }


def medllm(rows: list[dict[str, str]], base: Path, workers: int, privacy: str) -> dict[str, Any]:
    """Seconds of the whole of `prepare`, and what came of the rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        config = PrepareConfig.model_validate(
            {
                "sources": [{"name": "healthcaremagic", "path": path}],
                "privacy": privacy,
                "evaluation_sets": EVALUATION,
            }
        )
        out = Path(folder) / "out"
        out.mkdir()
        started = time.perf_counter()
        report = write_dialogues(config, "benchmark", out, base, workers)
        seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 2),
        "rows": len(rows),
        "kept": report.sources[0].rows_kept,
        "identifiers_replaced": sum(report.privacy.replaced.values()),
    }


def main() -> None:
    """Run both and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--base", type=Path, required=True, help="folder of a run's base stage")
    options.add_argument("--rows", type=int, default=112_000)
    options.add_argument("--sample", type=int, default=1_000, help="rows for the comparison")
    options.add_argument("--repeat", type=int, default=3, help="of the comparison")
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    rows = make_rows(chosen.rows)
    sample = rows[: chosen.sample]
    whole = medllm(rows, chosen.base, chosen.workers, "surrogates")
    ours, theirs = [], []
    for _ in range(chosen.repeat):
        ours.append(medllm(sample, chosen.base, chosen.workers, "surrogates")["seconds"])
        theirs.append(stock_presidio(sample, chosen.workers))
    per_row = whole["seconds"] / whole["rows"]
    stock = statistics.median(theirs) / len(sample)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(
        json.dumps(
            {
                "whole": whole,
                "sample_rows": len(sample),
                "medllm_sample_seconds": statistics.median(ours),
                "stock_presidio_sample_seconds": round(statistics.median(theirs), 2),
                "times_faster_a_row": round(stock / per_row, 2),
                "times_faster_on_the_sample": round(
                    statistics.median(theirs) / statistics.median(ours), 2
                ),
                "peak_gb": {"main": round(peak, 2), "largest_child": round(child, 2)},
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
