"""Finds and runs llama.cpp: the one module that knows where its parts are.

`make setup` installs a wheel of llama-cpp-python (scripts/llama_cpp_wheel.py) that carries, next
to the Python library, the command-line tools and llama.cpp's own converter. All of them come from
one pinned source, and every run starts in an environment where no stray variable changes a result.
"""

from __future__ import annotations

import codecs
import ctypes
import functools
import importlib.metadata
import importlib.util
import json
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medllm.pipeline.errors import MedllmError

ToolName = Literal["llama-quantize", "llama-imatrix", "llama-perplexity", "llama-bench"]

_REINSTALL = "Run `make setup` to install medllm's build of llama.cpp."
_ENDS_WITH = 3  # lines of a failed program's output that go into its error message


def tool(name: ToolName) -> Path:
    """Give the path of one of llama.cpp's command-line tools."""
    return _part(f"bin/{name}")


def converter() -> Path:
    """Give the path of convert_hf_to_gguf.py; its `conversion` package lies beside it."""
    return _part("llama.cpp/convert_hf_to_gguf.py")


def gguf_py() -> Path:
    """Give the folder that holds the `gguf` package which matches the converter."""
    return _part("llama.cpp/gguf-py")


def vocab_cases() -> Path:
    """Give llama.cpp's Llama-2 vocabulary (a GGUF without weights).

    Beside it lie its tokenizer test: `<name>.inp`, texts that each end with a
    line `__ggml_vocab_test__`, and `<name>.out`, one line of token ids a text, without BOS.
    """
    return _part("llama.cpp/models/ggml-vocab-llama-spm.gguf")


def run_tool(
    name: ToolName,
    arguments: Sequence[str | Path],
    *,
    log: Path | None = None,
    on_output: Callable[[str], None] | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run one of llama.cpp's tools and give what it wrote (output and errors, in order).

    Args:
        name: the tool.
        arguments: its command line after the name.
        log: a file that receives the output as it comes; it is kept when the tool fails.
        on_output: called with each piece of text as it comes, not always whole lines.
        environment: variables to add, for example OMP_NUM_THREADS.
        cwd: the folder it runs in, for tools that write a path of the command line into a file.

    Raises:
        MedllmError: the tool is not installed, or it failed; the message holds its last lines.
    """
    return _run([tool(name), *arguments], name, log, on_output, environment or {}, cwd)


@dataclass(frozen=True)
class BuildInfo:
    """Which llama.cpp this is and what it may use of the machine."""

    llama_cpp_python: str  # version of the Python package
    llama_cpp: str  # llama.cpp's version
    commit: str  # llama.cpp's commit
    source_sha256: str  # digest of the source distribution that everything was built from
    system_info: str  # llama.cpp's list of CPU and GPU features
    gpu_offload: bool  # whether layers can be put on a GPU


def build_info() -> BuildInfo:
    """Describe the installed llama.cpp, for manifests and `medllm` diagnostics.

    Raises:
        MedllmError: llama.cpp is not installed, or its library does not load.
    """
    source = json.loads(_part("llama.cpp/SOURCE.json").read_text(encoding="utf-8"))
    silence_native_logs()
    import llama_cpp

    return BuildInfo(
        llama_cpp_python=importlib.metadata.version("llama-cpp-python"),
        llama_cpp=llama_cpp.llama_version().decode(),
        commit=source["commit"],
        source_sha256=source["sdist_sha256"],
        system_info=llama_cpp.llama_print_system_info().decode().strip(" |"),
        gpu_offload=bool(llama_cpp.llama_supports_gpu_offload()),
    )


@functools.cache
def silence_native_logs() -> deque[str]:
    """Keep llama.cpp's own messages off the terminal for the rest of this process.

    Call it before the first `llama_cpp.Llama`. The last messages stay in the list that it gives,
    the same list each time, so that an error can quote them.

    Raises:
        MedllmError: llama.cpp is not installed, or its library does not load.
    """
    _part("lib")
    if "LLAMA_CPP_LIB_PATH" in os.environ:
        raise MedllmError(
            "LLAMA_CPP_LIB_PATH replaces the llama.cpp that medllm pins by another one.",
            "Unset it and run the command again.",
        )
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as error:
        raise MedllmError(f"llama.cpp's library does not load: {error}.", _REINSTALL) from error

    messages: deque[str] = deque(maxlen=200)

    def keep(_level: int, text: bytes, _user_data: ctypes.c_void_p) -> None:
        messages.append(text.decode("utf-8", errors="replace"))

    callback: Any = llama_cpp.llama_log_callback(keep)
    _CALLBACKS.append(callback)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    return messages


_CALLBACKS: list[Any] = []  # C code calls these: they must outlive every model


def _package() -> Path:
    """Give llama_cpp's folder without importing it, which would load the library."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise MedllmError("llama-cpp-python is not installed.", _REINSTALL)
    return Path(spec.origin).parent


def _part(name: str) -> Path:
    """Give the path of a part of the wheel."""
    path = _package() / name
    if not path.exists():
        raise MedllmError(
            f"The installed llama-cpp-python carries no {name}: it is not medllm's build.",
            "Run `make setup` to replace it.",
        )
    return path


def _clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Give this process's environment without what would silently change llama.cpp's work.

    llama.cpp reads LLAMA_ARG_* as if they were options, and its converter picks another `gguf`
    when NO_LOCAL_GGUF is set.
    """
    dropped = {"NO_LOCAL_GGUF", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONHOME"}
    kept = {k: v for k, v in os.environ.items() if k not in dropped and not k.startswith("LLAMA_")}
    return {**kept, **extra}


def _run(
    command: Sequence[str | Path],
    what: str,
    log: Path | None,
    on_output: Callable[[str], None] | None,
    environment: Mapping[str, str],
    cwd: Path | None = None,
) -> str:
    """Run a program to its end, passing its output on as it comes, and give all of it."""
    pieces: list[str] = []
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with log.open("w", encoding="utf-8") if log else nullcontext() as file:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_clean_environment(environment),
                cwd=cwd,
            )
        except OSError as error:
            raise MedllmError(f"{command[0]} does not start: {error}.", _REINSTALL) from error
        with process:
            assert process.stdout is not None
            try:
                while raw := os.read(process.stdout.fileno(), 1 << 16):
                    text = decoder.decode(raw)
                    pieces.append(text)
                    if file is not None:
                        file.write(text)
                        file.flush()
                    if on_output is not None:
                        on_output(text)
            except BaseException:
                process.kill()
                raise
    output = "".join(pieces)
    if process.returncode != 0:
        raise _failure(what, process.returncode, output, log)
    return output


def _failure(what: str, code: int, output: str, log: Path | None) -> MedllmError:
    """Put a failed program's exit and last lines into one message."""
    if code < 0:
        ended = f"was killed by {signal.Signals(-code).name}"
        fix = "Check that enough memory is free, then run the command again."
    else:
        ended = f"failed with exit code {code}"
        fix = "Put right what its last lines name, then run the command again."
    lines = [line.strip() for line in output.replace("\r", "\n").splitlines() if line.strip()]
    said = " / ".join(lines[-_ENDS_WITH:]) or "it wrote nothing"
    where = f" (all of it: {log})" if log else ""
    return MedllmError(f"{what} {ended}: {said}{where}.", fix)
