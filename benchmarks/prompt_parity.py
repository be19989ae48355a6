"""Does an Ollama server show the model what training showed it? Counts, by kind of text.

    python -m benchmarks.prompt_parity build/demo/quantize/medllm-q4_k_m.gguf [--modelfile FILE]

The server at OLLAMA_HOST gets a model of the GGUF for each prompt format, with the Modelfile's
SYSTEM, once as it is and once with a MESSAGE pair; both are deleted again. Every conversation of
``medllm.pipeline.release.parity`` is rendered there and compared byte for byte. Exit code 1 when
one differs.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from pathlib import Path

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.finding import find_server
from medllm.pipeline.release.modelfile import first_difference
from medllm.pipeline.release.modelfile_syntax import Modelfile, read_modelfile
from medllm.pipeline.release.parity import TEXTS, conversations
from medllm.pipeline.release.server import Server

NAME = "medllm-benchmark-parity:latest"
PAIR = (
    Message(role="user", content="Hello {{ .System }}"),
    Message(role="assistant", content="What brings you here?"),
)


def compare(server: Server, record: Modelfile, format_name: str) -> tuple[Counter[str], str]:
    """How many conversations of each kind are equal, and the first difference."""
    equal: Counter[str] = Counter()
    difference = ""
    for one in conversations():
        found = server.rendered_prompt(NAME, one.messages)
        expected = FORMATS[format_name].prompt(record.conversation(one.messages))
        equal[one.kind] += found == expected
        if found != expected and not difference:
            difference = f"{one.kind}: {first_difference(expected, found)}"
    return equal, difference


def main() -> int:
    """Compare, print a table, and say by the exit code whether all is equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--modelfile", type=Path, default=Path("Modelfile"))
    arguments = parser.parse_args()
    server = find_server()
    if server is None:
        raise MedllmError("No Ollama server answers.", "Start one with `ollama serve`.")
    totals = Counter(one.kind for one in conversations())
    shipped = read_modelfile(arguments.modelfile)
    all_equal = True
    with contextlib.closing(server):
        sha256 = sha256_file(arguments.gguf)
        print(f"Ollama {server.version()}, {arguments.gguf.name}")
        for name, format_ in FORMATS.items():
            for preset in ((), PAIR):
                update = {"template": format_.go_template, "messages": preset}
                record = shipped.model_copy(update=update)
                # a deleted model may take the blob with it, so it is offered each time
                server.create(NAME, server.upload_blob(arguments.gguf, sha256), record)
                try:
                    equal, difference = compare(server, record, name)
                finally:
                    server.delete(NAME)
                label = f"{name}{', MESSAGE' if preset else ''}"
                kinds = ", ".join(f"{kind} {equal[kind]}/{totals[kind]}" for kind in TEXTS)
                print(f"{label}: {equal.total()} of {totals.total()} equal ({kinds})")
                if difference:
                    print(f"  first difference: {difference}")
                all_equal = all_equal and equal == totals
    return 0 if all_equal else 1


if __name__ == "__main__":
    sys.exit(main())
