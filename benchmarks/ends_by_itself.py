"""Does a run's model end its replies by itself, as `ollama run` would show them?

    python -m benchmarks.ends_by_itself build/demo [--prompts 100]

Prompts are the first questions of the run's test dialogues, then, where those are too few, of its
validation dialogues. The server at OLLAMA_HOST gets the published GGUF with the run's Modelfile,
and is asked each of them twice, with a fixed seed: as the Modelfile says, and without its stop
strings, so that only the end-of-sequence token can end a reply. A reply that num_predict cuts, or
that Ollama breaks off because a token repeats thirty times, has not ended by itself.
"""

from __future__ import annotations

import argparse
import contextlib
from collections import Counter
from itertools import chain, islice
from pathlib import Path

from tqdm import tqdm

from medllm.pipeline.config import RunPaths
from medllm.pipeline.data.schema import read_dialogues
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.finding import find_server
from medllm.pipeline.release.modelfile_syntax import read_modelfile
from medllm.pipeline.release.wire import ChatOptions

NAME = "medllm-benchmark-ends:latest"


def questions(paths: RunPaths, number: int) -> list[str]:
    """First questions that nobody trained on, each once."""
    splits = (read_dialogues(paths.stage("prepare") / f"{s}.jsonl") for s in ("test", "validation"))
    found = (dialogue.question for dialogue in chain.from_iterable(splits))
    return list(islice(dict.fromkeys(found), number))


def main() -> None:
    """Ask, and print how many replies ended by themselves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--prompts", type=int, default=100)
    arguments = parser.parse_args()
    paths = RunPaths(arguments.run)
    asked = questions(paths, arguments.prompts)
    record = read_modelfile(paths.stage("modelfile") / "Modelfile")
    gguf = paths.stage("modelfile") / record.source
    server = find_server()
    if server is None:
        raise MedllmError("No Ollama server answers.", "Start one with `ollama serve`.")
    with contextlib.closing(server):
        server.create(NAME, server.upload_blob(gguf, sha256_file(gguf)), record)
        try:
            print(f"Ollama {server.version()}, {gguf.name}, {len(asked)} prompts")
            for label, stop in (("as the Modelfile says", None), ("without stop strings", ())):
                reasons: Counter[str] = Counter()
                tokens = []
                for seed, text in enumerate(tqdm(asked, desc=label, disable=None, leave=False)):
                    options = ChatOptions(seed=seed, stop=stop)
                    reply = server.chat(NAME, [Message(role="user", content=text)], options)
                    reasons[reply.done_reason] += 1
                    tokens.append(reply.tokens)
                others = {reason: n for reason, n in reasons.items() if reason != "stop"}
                print(
                    f"{label}: {reasons['stop']} of {len(asked)} ended by themselves"
                    f"{f'; others {others}' if others else ''}; longest {max(tokens)} tokens"
                )
        finally:
            server.delete(NAME)


if __name__ == "__main__":
    main()
