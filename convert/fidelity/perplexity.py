"""A model against the F16's written predictions, by llama.cpp's llama-perplexity.

Its output is for people, and it ends with success after most of its errors. So every figure must
stand there once, in the words that the pinned llama.cpp uses, and be a number: anything else is an
error here and never a figure.

Its log is written by a thread that the end of the program does not wait for (common/log.cpp says
so): on a busy machine the last lines of a small model's report are lost one time in four. A report
without its last line is therefore asked for again.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from medllm.convert.fidelity.base_logits import BaseLogits
from medllm.convert.fidelity.dialogues import threads_for
from medllm.convert.imatrix import counting
from medllm.convert.inspect_gguf import GgufFacts
from medllm.convert.llama_cpp import run_tool
from medllm.pipeline.errors import MedllmError

LEAST_SCORED = 100  # predictions below which llama-perplexity gives no statistics
_NUMBER = r"(-?\d+\.\d+)"
_PAIR = rf"\s*{_NUMBER} ±\s+{_NUMBER}"
_LINES = {
    "perplexity": rf"Mean PPL\(Q\)\s+:{_PAIR}",
    # The error is the root of a difference that rounding makes negative for equal models.
    "log_ratio": rf"Mean ln\(PPL\(Q\)/PPL\(base\)\)\s+:\s*{_NUMBER} ±\s+({_NUMBER[1:-1]}|-?nan)",
    "mean_kld": rf"Mean\s+KLD:{_PAIR}",
    "max_kld": rf"Maximum KLD:\s*{_NUMBER}",
    "kld_99": rf"99\.0%\s+KLD:\s*{_NUMBER}",
    "same_top": rf"Same top p:{_PAIR} %",
}
_LAST_LINE = re.compile(r"^Same top p: +\d", re.MULTILINE)
_ATTEMPTS = 8
_SAME = 1e-4  # nats below which two models are taken for one
_CHUNK_LINE = re.compile(rf"^ *\d+ +{_NUMBER} ±", re.MULTILINE)
_DONE_OVER = re.compile(r"computing over (\d+) chunks, n_ctx=(\d+)")


class Estimate(BaseModel):
    """A mean and its standard error, tokens taken as independent."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    value: float
    error: float = Field(ge=0)

    @property
    def low(self) -> float:
        """Lower end of the 95% interval."""
        return self.value - 1.96 * self.error

    @property
    def high(self) -> float:
        """Upper end of the 95% interval."""
        return self.value + 1.96 * self.error


class Divergence(BaseModel):
    """How far a model's predictions are from the F16's, over the same tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    perplexity: Estimate
    log_ratio_error: float = Field(ge=0, description="of ln(perplexity / the F16's), paired")
    mean_kld: Estimate = Field(description="KL(F16 ‖ model), nats a token")
    kld_99: float = Field(description="99th percentile over tokens")
    max_kld: float
    same_top: Estimate = Field(description="share of tokens where both rank the same one first")


def measure(model: GgufFacts, base: BaseLogits) -> Divergence:
    """Compare a model with the predictions in a file.

    Raises MedllmError when llama-perplexity fails or says something else than is understood.
    """
    from tqdm import tqdm

    arguments: list[str | Path] = [
        "-m",
        model.path,
        "--kl-divergence-base",
        base.path,
        "--kl-divergence",
    ]
    size, threads = str(base.chunk_tokens), str(threads_for(model))
    options = ["-c", size, "-b", size, "-ub", size, "-t", threads, "-fa", "off"]
    output = ""
    for _ in range(_ATTEMPTS):
        with tqdm(total=base.chunks, desc=model.path.name, unit="chunk", disable=None) as bar:
            count = counting(_CHUNK_LINE, bar.update)
            output = run_tool("llama-perplexity", [*arguments, *options], on_output=count)
        if _LAST_LINE.search(output):
            break
    return parse(output, base)


def parse(output: str, base: BaseLogits) -> Divergence:
    """Read llama-perplexity's report. Raises MedllmError when it is not as expected."""
    done = _DONE_OVER.findall(output)
    if done != [(str(base.chunks), str(base.chunk_tokens))]:
        raise _unread(output, f"computing over {base.chunks} chunks of {base.chunk_tokens}")
    found: dict[str, tuple[float, ...]] = {}
    for name, pattern in _LINES.items():
        lines = re.findall(rf"^{pattern}\s*$", output, re.MULTILINE)
        if len(lines) != 1:
            raise _unread(output, name.replace("_", " "))
        groups = lines[0] if isinstance(lines[0], tuple) else (lines[0],)
        found[name] = tuple(float(number) for number in groups)
    (share, share_error), (kld, kld_error) = found["same_top"], found["mean_kld"]
    ppl, ppl_error = found["perplexity"]
    ratio_error = found["log_ratio"][1]
    if math.isnan(ratio_error):
        if abs(kld) > _SAME:
            raise _unread(output, "log ratio")
        ratio_error = 0.0
    (kld_99,), (max_kld,) = found["kld_99"], found["max_kld"]
    if not (0 <= share <= 100 and ppl >= 1 and math.isfinite(ppl) and kld <= max_kld):
        raise _unread(output, "figures that can be")
    return Divergence(
        perplexity=Estimate(value=ppl, error=ppl_error),
        log_ratio_error=ratio_error,
        mean_kld=Estimate(value=kld, error=kld_error),
        kld_99=kld_99,
        max_kld=max_kld,
        same_top=Estimate(value=share / 100, error=share_error / 100),
    )


def _unread(output: str, what: str) -> MedllmError:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return MedllmError(
        f"llama-perplexity's report does not say {what}; it ends: {' / '.join(lines[-3:]):.400}.",
        "Put right what it names; if it names nothing, this llama.cpp is not the pinned one: run "
        "`make setup`.",
    )
