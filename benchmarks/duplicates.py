"""Near duplicates: recall, false pairs and time, beside datasketch's MinHashLSH.

    python -m benchmarks.duplicates [--originals 2000] [--repeats 3]

Every original of invented words has one edited copy; what a copy's Jaccard similarity is, is
counted here, by code that the pipeline does not use. Times are the median of the repeats, one core,
shingling included; both libraries do the same work in the same run.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from medllm.pipeline.data.duplicates import (
    NearDuplicates,
    near_duplicates,
    shingles,
    signature,
    signatures,
)

THRESHOLD = 0.8


@dataclass(frozen=True)
class Pair:
    """A text, an edited copy of it and how similar they are."""

    original: str
    copy: str
    similarity: float


@dataclass(frozen=True)
class Score:
    """What was found of the planted pairs; the original of row i's copy is row i."""

    similar: int  # copies at or above the threshold
    found: int  # of these, those left out
    dissimilar: int
    false: int  # rows left out for one that is less similar than the threshold

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"recall {self.found / self.similar:.4f} ({self.found} of {self.similar} copies at or "
            f"above {THRESHOLD}); false pairs {self.false} of {self.dissimilar} copies below"
        )


def planted(count: int, seed: int) -> list[Pair]:
    """Texts of 40 to 300 words, drawn by Zipf's law; copies between 0.65 and 0.95."""
    draw = random.Random(seed)
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    words = ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(5000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    pairs = []
    for _ in range(count):
        original = draw.choices(words, weights, k=draw.randint(40, 300))
        copy, wanted = list(original), draw.uniform(0.65, 0.95)
        while (similarity := reference_jaccard(original, copy)) > wanted:
            at = draw.randrange(len(copy))
            match draw.randrange(3):
                case 0:
                    copy[at] = draw.choice(words)
                case 1:
                    del copy[at]
                case _:
                    copy.insert(at, draw.choice(words))
        pairs.append(Pair(" ".join(original), " ".join(copy), similarity))
    return pairs


def reference_jaccard(one: list[str], other: list[str]) -> float:
    """Jaccard similarity of the sets of word trigrams, written down once more."""
    a, b = ({tuple(words[i : i + 3]) for i in range(len(words) - 2)} for words in (one, other))
    return len(a & b) / len(a | b)


def score(pairs: list[Pair], found: NearDuplicates) -> Score:
    """Judge the result for the rows: all originals, then all copies."""
    rows = [pair.original.split() for pair in pairs] + [pair.copy.split() for pair in pairs]
    false = sum(
        reference_jaccard(rows[row], rows[other]) < THRESHOLD
        for row, other in enumerate(found.of.tolist())
        if other >= 0
    )
    of_copy = found.of[len(pairs) :]
    similar = [i for i, pair in enumerate(pairs) if pair.similarity >= THRESHOLD]
    return Score(
        similar=len(similar),
        found=sum(int(of_copy[i]) >= 0 for i in similar),
        dissimilar=len(pairs) - len(similar),
        false=false,
    )


def crowd(count: int, seed: int) -> list[str]:
    """A long text of boilerplate with one word of each row's own: near copies, none equal."""
    words = planted(1, seed)[0].original.split() * 3
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        row = list(words)
        row[draw.randrange(len(row))] = f"own{number}"
        rows.append(" ".join(row))
    return rows


def ours(texts: Sequence[str], threshold: float = THRESHOLD) -> NearDuplicates:
    """Signatures and pairs of texts that are all answer, as stage prepare gets them."""
    fetch = texts.__getitem__
    return near_duplicates(signatures(map(signature, texts)), fetch, fetch, threshold)


def datasketch_one_by_one(texts: list[str]) -> int:
    """The same bands with datasketch, a row at a time; returns the rows that met another."""
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(num_perm=96, params=(16, 6))
    met = 0
    for number, text in enumerate(texts):
        minhash = MinHash(num_perm=96)
        for shingle in shingles(text):
            minhash.update(shingle.encode())
        met += bool(lsh.query(minhash))
        lsh.insert(number, minhash)
    return met


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """Median wall time of some runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--originals", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    pairs = planted(options.originals, seed=0)
    texts = [pair.original for pair in pairs] + [pair.copy for pair in pairs]
    print(f"{len(texts)} rows of {statistics.mean(map(len, texts)):.0f} characters")
    print(score(pairs, ours(texts)))

    def per_row(name: str, run: Callable[[], object], rows: int) -> float:
        seconds = median_seconds(run, options.repeats)
        print(f"{name}: {seconds / rows * 1e6:.0f} µs a row")
        return seconds

    made = signatures(map(signature, texts))
    per_row("signature", lambda: [signature(text) for text in texts], len(texts))
    per_row(
        "pairs",
        lambda: near_duplicates(made, texts.__getitem__, texts.__getitem__, THRESHOLD),
        len(texts),
    )
    mine = per_row("both", lambda: ours(texts), len(texts))
    theirs = per_row("datasketch, one by one", lambda: datasketch_one_by_one(texts), len(texts))
    print(f"datasketch takes {theirs / mine:.1f} times as long")
    for size in (5_000, 20_000):
        rows = crowd(size, seed=0)
        per_row(f"{size} near copies of one text", partial(ours, rows), size)


if __name__ == "__main__":
    main()
