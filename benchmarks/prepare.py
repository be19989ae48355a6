"""How fast is `prepare`, and against `datasets.map` over stock Presidio?

    .venv/bin/python benchmarks/prepare.py --base build/demo/base

The rows are made from ChatDoctor's 5,452 (HealthCareMagic's shape), 112,000 of them: each is the
first half of one row's sentences and the second half of another's, question and answer alike, with
invented names, telephone numbers and dates put in front of every fifth question. So lengths and
words are the real ones, and no two rows are near duplicates by construction.

Both ways get the same rows and the same two processes. Stock Presidio is AnalyzerEngine and
AnonymizerEngine with their predefined recognizers, offline (a blank spaCy model; with its default
model, which names need, it is slower still), called row by row from `datasets.map`. It only
de-identifies; medllm's time holds reading, cleaning, de-identification, both kinds of duplicates,
the split, token counts and the second scan.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from medllm.pipeline.config import PrepareConfig
from medllm.pipeline.data.prepare import write_dialogues

SOURCE = Path("../shared/data/chatdoctor/chatdoctor5k.json")
FIRST = ("Maria", "Ahmed", "Joan", "Peter", "Li", "Olga", "Ruth", "Samuel")
LAST = ("Hernandez", "Miller", "Okafor", "Svensson", "Tanaka", "Brandt", "Lewis", "Costa")


def make_rows(count: int, seed: int = 7) -> list[dict[str, str]]:
    """``count`` rows of HealthCareMagic's shape, as the module says."""
    real = json.loads(SOURCE.read_text(encoding="utf-8"))
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        one, other = draw.choice(real), draw.choice(real)
        row = {"instruction": one["instruction"]}
        for key in ("input", "output"):
            first, second = (text[key].split(". ") for text in (one, other))
            row[key] = ". ".join(first[: len(first) // 2 + 1] + second[len(second) // 2 + 1 :])
        if number % 5 == 0:
            name = f"{draw.choice(FIRST)} {draw.choice(LAST)}"
            day = f"{draw.randint(1, 12)}/{draw.randint(1, 28)}/{draw.randint(1990, 2022)}"
            phone = f"({draw.randint(200, 989)}) 555-{draw.randint(100, 199):04d}"
            row["input"] = f"My name is {name}, seen on {day}, phone {phone}. {row['input']}"
        rows.append(row)
    return rows


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
            {"sources": [{"name": "healthcaremagic", "path": path}], "privacy": privacy}
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
