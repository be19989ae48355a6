"""What goes to llama.cpp's converter, a process of its own, and what it answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from medllm.convert.llama_cpp import converter, gguf_py
from medllm.pipeline.errors import MedllmError

GgufType = Literal["F16", "BF16", "F32"]
_POLL_SECONDS = 0.1
_ENDS_WITH = 3  # lines of a failed converter's output that go into the error
_STRAY = {"NO_LOCAL_GGUF", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONHOME"}


class Request(BaseModel):
    """One conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base: Path  # safetensors
    adapter: Path | None
    small_files: Path  # config.json and tokenizer, as the GGUF shall have them
    outfile: Path
    type: GgufType
    name: str  # general.name
    answer: Path  # where the converter writes its answer
    override: Path | None = None  # JSON of general.* keys, as llama.cpp's --metadata
    own: dict[str, str | int | list[str]] = {}  # further keys of the GGUF


class Handed(BaseModel):
    """One tensor as it was handed over: its bytes in the GGUF's type and layout."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str  # its name in the checkpoint
    shape: tuple[int, ...]  # there
    digest: str  # xxh3_128 of the expected bytes
    rounded: int  # weights that the GGUF's type cannot hold exactly


class Answer(BaseModel):
    """What the converter says when it is done: a refusal, or all tensors that it was given."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    refused: tuple[str, str] | None = None  # what happened, what to do next
    architecture: str = ""  # general.architecture
    tensors: dict[str, Handed] = {}  # by name in the GGUF


def run_converter(request: Request, on_wait: Callable[[], None]) -> Answer:
    """Convert in a process of its own; ``on_wait`` is called several times a second.

    llama.cpp's converter brings its own ``gguf`` package, another version than the one installed
    here, and reads variables of the environment; neither may reach this process.

    Raises MedllmError with the converter's own refusal, or with its last lines when it fails. No
    partial GGUF stays then.
    """
    order, log = request.answer.with_suffix(".order"), request.answer.with_suffix(".log")
    order.write_text(request.model_dump_json(), encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if k not in _STRAY and not k.startswith("LLAMA_")}
    environment = kept | {
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join([str(converter().parent), str(gguf_py())]),
    }
    # -P: a folder called conversion where the command was started must not stand in for theirs.
    command: list[str | Path] = [sys.executable, "-P", "-m", "medllm.convert.hf.converter", order]
    try:
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            ) as process,
        ):
            try:
                while process.poll() is None:
                    on_wait()
                    time.sleep(_POLL_SECONDS)
                on_wait()
            except BaseException:
                process.kill()
                raise
        answer = _read_answer(request.answer, log, process.returncode)
        if answer.refused is not None:
            raise MedllmError(*answer.refused)
    except BaseException:
        request.outfile.unlink(missing_ok=True)
        raise
    return answer


def _read_answer(path: Path, log: Path, code: int) -> Answer:
    try:
        if code == 0:
            return Answer.model_validate_json(path.read_bytes())
        said = f"ended with {code}"
    except (OSError, ValidationError):
        said = "gave no answer"
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = " / ".join(lines[-_ENDS_WITH:]) or "it wrote nothing"
    raise MedllmError(
        f"llama.cpp's converter {said}: {last:.600}.",
        "Put right what its last lines name; a process that was killed wants more memory.",
    )
