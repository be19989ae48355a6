"""Tokens a second on this machine, by llama.cpp's llama-bench."""

from __future__ import annotations

import json
from statistics import median

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, TypeAdapter, ValidationError

from medllm.convert.fidelity.dialogues import threads_for
from medllm.convert.inspect_gguf import GgufFacts
from medllm.convert.llama_cpp import run_tool
from medllm.pipeline.errors import MedllmError

PROMPT, GENERATED, REPEATS = 128, 32, 5  # tokens, tokens, runs


class Speed(BaseModel):
    """Medians over the repeats."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompt: float = Field(gt=0, description="tokens a second of a prompt of 128")
    generation: float = Field(gt=0, description="tokens a second of a reply of 32")
    threads: int
    processor: str


class _Test(BaseModel):
    """One line of llama-bench's JSON; it says much more."""

    n_prompt: int
    n_gen: int
    n_threads: int
    cpu_info: str
    gpu_info: str
    samples_ts: list[PositiveFloat] = Field(min_length=REPEATS, max_length=REPEATS)


def measure_speed(model: GgufFacts) -> Speed:
    """Time a model. Raises MedllmError when llama-bench fails or its report is not understood."""
    options = {"-p": PROMPT, "-n": GENERATED, "-r": REPEATS, "-t": threads_for(model)}
    flags = [word for option, value in options.items() for word in (option, str(value))]
    return parse(run_tool("llama-bench", ["-m", model.path, "-o", "jsonl", *flags]))


def parse(output: str) -> Speed:
    """Read llama-bench's JSON lines. Raises MedllmError when they are not the two tests."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    try:
        tests = TypeAdapter(list[_Test]).validate_python([json.loads(line) for line in lines])
    except (ValueError, ValidationError):
        tests = []
    found = {(test.n_prompt, test.n_gen): test for test in tests}
    if len(tests) != 2 or found.keys() != {(PROMPT, 0), (0, GENERATED)}:
        last = " / ".join(line.strip() for line in output.splitlines()[-3:])
        raise MedllmError(
            f"llama-bench's report is not understood; it ends: {last:.400}.",
            "Run `make setup`: this llama.cpp is not the pinned one.",
        )
    reply = found[0, GENERATED]
    return Speed(
        prompt=median(found[PROMPT, 0].samples_ts),
        generation=median(reply.samples_ts),
        threads=reply.n_threads,
        processor=", ".join(name for name in (reply.cpu_info, reply.gpu_info) if name),
    )
