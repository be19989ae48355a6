"""How long `medllm verify` reads, and how the three readers share it.

    python -m benchmarks.verify TOKENIZER_FOLDER GGUF DIALOGUES.jsonl … [--texts 10000] [--profile]

The folder holds tokenizer.model and tokenizer.json of stage base; dialogues are files of stage
prepare. Prints conversations, tokens, seconds of this process on one core, and tokens a second.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from pathlib import Path


def main() -> None:
    """Read the texts once and print what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("dialogues", type=Path, nargs="+")
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--format", default="llama2")
    parser.add_argument("--profile", action="store_true", help="print the ten dearest functions")
    options = parser.parse_args()

    from medllm.convert.gate.agreement import TokenGate
    from medllm.convert.gate.texts import hostile_conversations, mixtures, run_conversations
    from medllm.pipeline.prompts import FORMATS

    begun = time.process_time()
    gate = TokenGate(options.tokenizer, options.gguf, FORMATS[options.format])
    loaded = time.process_time()
    own = list(run_conversations(options.dialogues, options.texts))
    hostile = list(hostile_conversations())
    missing = max(0, options.texts - len(own) - len(hostile))
    read = [*own, *hostile, *mixtures(own, missing, 0)]
    made = time.process_time()
    profile = cProfile.Profile()
    if options.profile:
        profile.enable()
    tokens = sum(gate.check(conversation).tokens for conversation in read)
    profile.disable()
    ended = time.process_time()
    gate.close()
    print(
        f"{len(read):,} conversations, {tokens:,} tokens: load {loaded - begun:.1f} s, texts "
        f"{made - loaded:.1f} s, comparison {ended - made:.1f} s, "
        f"{tokens / (ended - made):,.0f} tokens/s"
    )
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(10)


if __name__ == "__main__":
    main()
