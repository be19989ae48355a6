"""The sections of a run's config: one frozen record a stage, and the records inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FormatName = Literal["llama2", "know_medical_v2"]
# fmt: off
QuantType = Literal[
    "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q2_K"
]
# fmt: on
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(gt=0)]
Version = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$", max_length=40)]


class Section(BaseModel):
    """What every stage's section shares: unknown keys are refused, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = Field(0, ge=0, lt=2**32, description="every random choice of the stage follows it")


class TinyConfig(BaseModel):
    """A Llama-2-shaped model small enough to be pretrained here, on a CPU, in a minute or two."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    corpus: Path = Field(description="UTF-8 text for the tokenizer and for pretraining")
    layers: Count = 4
    hidden_size: Count = Field(256, multiple_of=256, description="256 a row, for the K-quants")
    heads: Count = 4
    intermediate_size: Count = Field(768, multiple_of=256)
    vocab_size: int = Field(4096, ge=320, le=32000, description="pieces at most")
    context: Count = Field(512, description="tokens, max_position_embeddings")
    steps: Count = Field(description="optimiser steps of pretraining")
    batch_size: Count = Field(8, description="sequences a step")
    sequence_length: Count = Field(256, description="tokens a sequence in pretraining")
    learning_rate: float = Field(3e-3, gt=0, lt=1)


class BaseConfig(Section):
    """The model that is fine-tuned."""

    source: str = Field(description="'tiny', a local folder, or a hub id such as org/name")
    revision: str | None = Field(None, description="commit of a hub id, 40 hex digits")
    tiny: TinyConfig | None = None

    @model_validator(mode="after")
    def _tiny_has_its_section(self) -> BaseConfig:
        if (self.source == "tiny") != (self.tiny is not None):
            raise ValueError("base.tiny belongs to base.source: tiny, and only to it")
        return self


class SourceConfig(BaseModel):
    """One dataset, the adapter that reads it, and how much of it goes into the mix."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(description="a source that `medllm sources` lists")
    path: Path | None = Field(None, description="a file or folder, plain, .gz or .zip")
    hub: str | None = Field(None, pattern=r"^[\w.-]+/[\w.-]+$", description="dataset id, org/name")
    revision: str | None = Field(
        None, pattern=r"^[0-9a-f]{40}$", description="commit of a hub id, 40 hex digits"
    )
    notes: Path | None = Field(None, description="the companion file that the source is joined to")
    weight: float = Field(
        1.0, gt=0, le=20, description="copies of a dialogue in train; 0.25 keeps a quarter of them"
    )
    cap: Count | None = Field(None, description="dialogues at most, before weight, drawn by seed")
    format: FormatName | None = Field(None, description="prompt format, where not the run's")

    @model_validator(mode="after")
    def _one_place(self) -> SourceConfig:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give either path or hub")
        if (self.hub is None) != (self.revision is None):
            raise ValueError(
                "hub and revision belong together: a hub id without a commit may change"
            )
        return self

    @property
    def place(self) -> str:
        """Where the dataset is, as a report names it."""
        return self.path.as_posix() if self.path else f"{self.hub}@{self.revision}"


class CleanConfig(BaseModel):
    """What a dialogue must be to be learnt from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    languages: tuple[str, ...] = Field(
        ("en",), description="ISO 639-1 codes of the languages to keep; none given keeps all"
    )
    min_answer_characters: int = Field(
        20, ge=0, description="a dialogue whose doctor says less in all is dropped"
    )
    max_characters: int = Field(20_000, gt=0, description="a longer dialogue is dropped")
    max_other_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of the doctor's characters that may be neither letter nor space",
    )


class PrepareConfig(Section):
    """From dataset files to train, validation and test dialogues in one chat schema."""

    format: FormatName = "llama2"
    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    privacy: Literal["surrogates", "tags", "off"] = Field(
        "surrogates", description="identifiers become invented ones, [TAGS], or stay"
    )
    clean: CleanConfig = CleanConfig()
    near_duplicates: float = Field(
        0.8, ge=0.8, le=1, description="Jaccard similarity from which the later dialogue goes"
    )
    canaries: int = Field(
        4,
        ge=0,
        le=64,
        description="invented record numbers planted in train, 1 to 8 times each and never more "
        "than 1% of it, to measure memorisation",
    )
    evaluation_sets: tuple[Path, ...] = Field(
        (), description="files of questions that no training dialogue may repeat"
    )
    validation_share: Share = 0.05
    test_share: Share = 0.05
    max_bad_share: Share = Field(0.02, description="refuse when more rows than this are broken")
    system_share: float = Field(
        0.0, ge=0, le=1, description="share of dialogues that get system_prompt as system message"
    )
    system_prompt: str = ""


class TrainConfig(Section):
    """QLoRA: a 4-bit NF4 base (Dettmers et al., arXiv 2305.14314) under LoRA (arXiv 2106.09685)."""

    format: FormatName = "llama2"
    rank: Count = Field(16, description="LoRA r")
    alpha: Count = Field(32, description="LoRA alpha; the update is scaled by alpha / r")
    dropout: Share = 0.0
    target_modules: tuple[str, ...] = Field(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        min_length=1,
        description="projection layers that get an adapter",
    )
    epochs: float = Field(3.0, gt=0)
    batch_size: Count = Field(8, description="rows, or packed blocks, a device holds at once")
    packing: bool = Field(
        False, description="lay rows end to end in blocks of max_length, each seeing only itself"
    )
    accumulation: Count = Field(1, description="batches an optimiser step")
    learning_rate: float = Field(2e-4, gt=0, lt=0.1)
    warmup_share: Share = Field(0.03, description="share of the steps that warm up")
    max_length: Count = Field(1024, description="tokens; longer rows are cut, counted and shown")
    evaluations: Count = Field(4, description="validations, and checkpoints, over the run")
    gradient_checkpointing: bool = Field(False, description="less memory, slower")
    optimizer: Literal["adamw_torch", "paged_adamw_8bit"] = "adamw_torch"


class MergeConfig(Section):
    """The adapter folded into the 16-bit base."""

    max_shard_gb: float = Field(5.0, gt=0, description="size of a safetensors shard, 10^9 bytes")


class ConvertConfig(Section):
    """Hugging Face checkpoint to GGUF."""

    format: FormatName = "llama2"
    type: Literal["F16", "BF16", "F32"] = "F16"


class ImatrixConfig(Section):
    """What matters in each matrix, measured on the run's own training dialogues."""

    format: FormatName = "llama2"
    chunks: int = Field(100, ge=2, description="pieces of 512 tokens of training dialogues")


class QuantizeConfig(Section):
    """GGUF to smaller GGUFs."""

    types: tuple[QuantType, ...] = Field(("Q8_0", "Q5_K_M", "Q4_K_M"), min_length=1)
    imatrix: bool = Field(True, description="weigh the rounding by the importance matrix")


class FidelityConfig(Section):
    """Each quant against its own F16 on held-out dialogues, and what it must hold to be offered."""

    format: FormatName = "llama2"
    chunks: Count = Field(200, description="pieces of 512 held-out tokens at most")
    max_mean_kld: float = Field(0.05, gt=0, description="mean KL divergence, nats a token")
    min_same_top: float = Field(
        0.9, ge=0, le=1, description="share of tokens where both find the same one most probable"
    )
    max_ppl_ratio: float = Field(1.05, ge=1, description="perplexity over that of the F16")


class ModelfileConfig(Section):
    """What a doctor gets: the Modelfile a person edits, filled in."""

    format: FormatName = "llama2"
    path: Path = Path("Modelfile")
    quant: QuantType = Field("Q4_K_M", description="the GGUF that FROM names")
    variants: tuple[str, ...] = Field((), description="files in modelfiles/ that become models too")


class CreateConfig(Section):
    """The model in a local Ollama server, when one answers at OLLAMA_HOST."""

    format: FormatName = "llama2"
    name: str = Field("medllm", pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")
    version: Version | None = Field(None, description="prefix of the tags, as 1.2.0")


class TermsConfig(Section):
    """The maintainer's words on the terms of the training data, where a model is handed on."""

    acknowledged: tuple[str, ...] = Field(
        (), description="sources whose terms (non-commercial, share-alike …) the maintainer meets"
    )
    reviewed: dict[str, str] = Field(
        {}, description="source of unclear rights: who reviewed them, when, with what result"
    )


class PushConfig(TermsConfig):
    """Where a release goes, under which name and version."""

    name: str | None = Field(None, description="namespace/model at the registry")
    registry: str = Field("registry.ollama.ai", description="host, with :port where it needs one")
    insecure: bool = Field(False, description="plain HTTP, for a registry of your own network")
    version: Version | None = Field(
        None, description="of this release, as 1.2.0; a published version never changes"
    )
    moving_tags: dict[str, QuantType] = Field(
        {},
        description="tag -> quant it names, over what is found: latest is modelfile.quant, "
        "8gb and 16gb are what fidelity recommends",
    )


class BundleConfig(TermsConfig):
    """The clinic bundle. Who hands it on meets the data's terms, so it asks for the same words."""

    key: Path | None = Field(
        None, description="the maintainer's private key, outside the checkout; `medllm new-key`"
    )


class VectorsConfig(Section):
    """Word2Vec on the prepared dialogues, by which the chat knows a medical question."""

    size: Count = Field(64, description="numbers a word")
    window: Count = Field(5, description="words to each side that make a context")
    min_count: Count = Field(3, description="a rarer word gets no vector")
    epochs: Count = 20


class ChatConfig(Section):
    """The chat page and the API of a clinic."""

    model_config = ConfigDict(coerce_numbers_to_str=True)  # emergency_number: 112
    emergency_number: str = Field(
        "your local emergency number (112 in Europe, 911 in North America, 999 in the UK)",
        min_length=2,
        max_length=200,
        description="what people call in an emergency where the chat is used, as shown to them",
    )
