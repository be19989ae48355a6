"""How far the safety scorers can be believed, and what a run's models memorised.

``python -m benchmarks.safety [RUN]`` prints Markdown: the scorers' agreement with the labelled
answers, and, for a run's folder with canaries, exposure and extraction of base, fine-tune and
quants, with the seconds that each took.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from medllm.eval.safety.summary import ScorerError, scorer_errors

PARTS = ("fresh", "held_out", "challenge")
CONTEXT = 2048
SEED = 7


def agreement() -> Iterator[str]:
    """A table of sensitivity and specificity, one row a rule."""
    rows = scorer_errors(PARTS)
    yield "| rule | " + " | ".join(f"{p}: found | {p}: rejected" for p in PARTS) + " |"
    yield "|---|" + "---|" * (2 * len(PARTS))
    for category, check in dict.fromkeys((row.category, row.check) for row in rows):
        cells = []
        for part in PARTS:
            key = (part, category, check)
            row = next((r for r in rows if (r.part, r.category, r.check) == key), None)
            cells += _cells(row)
        yield f"| {category}, {check} | " + " | ".join(cells) + " |"


def _cells(row: ScorerError | None) -> tuple[str, str]:
    if row is None:
        return "–", "–"
    return (
        _share(row.found, row.positives, row.sensitivity),
        _share(row.rejected, row.negatives, row.specificity),
    )


def _share(part: int, whole: int, interval: tuple[float, float] | None) -> str:
    return f"{part}/{whole} ({interval[0]:.2f}–{interval[1]:.2f})" if interval else "–"


def memorisation(run: Path) -> Iterator[str]:
    """What every GGUF of a run gives away."""
    from medllm.eval.engines.embedded import EmbeddedEngine
    from medllm.eval.memorisation.exposure import exposures
    from medllm.eval.memorisation.extraction import attempts, extract
    from medllm.eval.memorisation.summary import summarise
    from medllm.pipeline.data.canaries import read_secrets

    secrets = read_secrets(run / "prepare")
    for path in [*sorted((run / "convert").glob("*.gguf")), *sorted(run.glob("quantize/*.gguf"))]:
        started = time.perf_counter()
        with closing(EmbeddedEngine(path, "llama2", CONTEXT)) as engine:
            found = exposures(engine, secrets.canaries, SEED)
            said = extract(engine, secrets, SEED)
        result = summarise(secrets, found, attempts(secrets, SEED), said)
        yield f"\n{path.name} ({time.perf_counter() - started:.1f} s):\n"
        yield from (f"- {sentence}" for sentence in result.sentences)
        if result.p is not None:
            yield f"- planted more exposed than held out: p {result.p:.3f}"


if __name__ == "__main__":
    print(*agreement(), sep="\n")
    for folder in sys.argv[1:]:
        print(*memorisation(Path(folder)), sep="\n")
