"""What a fidelity measurement found, which quants it lets pass, and which one fits a laptop."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from medllm.convert.fidelity.perplexity import Divergence, Estimate
from medllm.convert.fidelity.speed import Speed
from medllm.pipeline.config import FidelityConfig, QuantType

GIB = 2**30
CONTEXTS = (2048, 4096)  # num_ctx for which memory is told
LITTLE = 5_000  # compared tokens below which the report says that it is little


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(_Record):
    """What was measured on."""

    split: str
    sources: dict[str, int] = Field(description="source -> dialogues")
    dialogues: int
    available: int = Field(description="dialogues in the split")
    chunks: int
    chunk_tokens: int
    scored: int = Field(description="tokens that are compared")
    floored: int = Field(description="of them, so improbable that the file of the F16 rounds them")


class Weighed(_Record):
    """One GGUF: its size, what it needs and how fast it is here."""

    file_bytes: int
    bits_per_weight: float
    memory: dict[int, int] = Field(description="num_ctx -> expected bytes")
    speed: Speed | None = Field(description="None where the same blocks were timed already")
    divergence: Divergence


class Quant(Weighed):
    """A quantized GGUF against its F16."""

    type: QuantType
    imatrix: bool = Field(description="made with the importance matrix")
    published: bool = Field(description="from stage quantize; else made to compare, and deleted")
    ppl_ratio: Estimate = Field(description="perplexity over the F16's")
    missed: tuple[str, ...] = Field(description="thresholds that it is not shown to hold")

    @property
    def verdict(self) -> str:
        """In words."""
        if not self.published:
            return "to compare"
        return f"not offered: {'; '.join(self.missed)}" if self.missed else "offered"


class Thresholds(_Record):
    """What a quant must hold, with the far end of its 95% interval."""

    max_mean_kld: float
    min_same_top: float
    max_ppl_ratio: float


class Fidelity(_Record):
    """All of it."""

    model: str
    source_type: str = Field(description="F16, BF16 or F32")
    source: Weighed = Field(
        description="the full-precision GGUF; its divergence is the noise floor"
    )
    text: Text
    imatrix: str | None = Field(description="what the importance matrix was computed from")
    thresholds: Thresholds
    quants: tuple[Quant, ...]
    llama_cpp: str


@dataclass(frozen=True)
class Laptop:
    """A machine that a doctor may have, and the setting that suits it."""

    gigabytes: int
    reserve: int  # of them, for the system and its programs
    context: int  # num_ctx


LAPTOPS = (Laptop(8, 3, 2048), Laptop(16, 4, 4096))


def missed(divergence: Divergence, ratio: Estimate, config: FidelityConfig) -> tuple[str, ...]:
    """The thresholds that a quant is not shown to hold.

    The far end of the 95% interval counts: on little text the interval is wide, and a quant that
    might be too far off is not offered.
    """
    kld, same = divergence.mean_kld.high, max(divergence.same_top.low, 0.0)
    misses = []
    if kld > config.max_mean_kld:
        misses.append(f"mean KLD may be {kld:.4f}, over {config.max_mean_kld:g}")
    if same < config.min_same_top:
        misses.append(f"same top token may be {100 * same:.1f}%, under {config.min_same_top:.1%}")
    if ratio.high > config.max_ppl_ratio:
        misses.append(
            f"perplexity may be {ratio.high:.3f} × the F16's, over {config.max_ppl_ratio:g}"
        )
    return tuple(misses)


def offered(report: Fidelity) -> list[QuantType]:
    """The types that may be published, in the order of the report."""
    return [quant.type for quant in report.quants if quant.published and not quant.missed]


def recommended(report: Fidelity, laptop: Laptop) -> Quant | None:
    """The offered quant nearest to the F16 that leaves the laptop its reserve, if any does."""
    room = (laptop.gigabytes - laptop.reserve) * GIB
    fitting = [
        quant
        for quant in report.quants
        if quant.published and not quant.missed and quant.memory[laptop.context] <= room
    ]
    return min(
        fitting, key=lambda quant: (quant.divergence.mean_kld.value, quant.file_bytes), default=None
    )
