"""Reading a run's YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from medllm.pipeline.config.evaluation import EvalConfig, GateConfig, TaskConfig
from medllm.pipeline.config.sections import (
    BaseConfig,
    BundleConfig,
    ChatConfig,
    CleanConfig,
    ConvertConfig,
    CreateConfig,
    FidelityConfig,
    ImatrixConfig,
    MergeConfig,
    ModelfileConfig,
    PrepareConfig,
    PushConfig,
    QuantizeConfig,
    Section,
    SourceConfig,
    TinyConfig,
    TrainConfig,
    VectorsConfig,
)
from medllm.pipeline.errors import MedllmError


class RunConfig(BaseModel):
    """A whole run: one section a stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base: BaseConfig
    prepare: PrepareConfig
    train: TrainConfig
    merge: MergeConfig
    convert: ConvertConfig
    imatrix: ImatrixConfig
    quantize: QuantizeConfig
    fidelity: FidelityConfig
    modelfile: ModelfileConfig
    create: CreateConfig
    eval: EvalConfig
    push: PushConfig
    bundle: BundleConfig
    vectors: VectorsConfig
    chat: ChatConfig

    @model_validator(mode="after")
    def _stages_agree(self) -> RunConfig:
        sections = (getattr(self, name) for name in type(self).model_fields)
        formats = {section.format for section in sections if hasattr(section, "format")}
        if len(formats) > 1:
            raise ValueError(f"format differs between stages: {', '.join(sorted(formats))}")
        if self.modelfile.quant not in self.quantize.types:
            raise ValueError(f"modelfile.quant {self.modelfile.quant} is not in quantize.types")
        return self


_SHARED_KEYS = ("seed", "format", "version", "acknowledged", "reviewed")


def load_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a run's YAML and apply ``section.key=value`` overrides (values are YAML too).

    Raises MedllmError naming the file, the key and what is wrong with it.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MedllmError(f"There is no config {path}.", "Give one with --config.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise MedllmError(f"{path} is not YAML: {reason}.", "Correct it there.") from None
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise MedllmError(f"{path} holds no sections.", "Start from one in configs/.")
    for override in overrides:
        _override(raw, override)
    shared = {key: raw.pop(key) for key in _SHARED_KEYS if key in raw}
    for name, record in _section_types().items():
        if raw.setdefault(name, {}) is None:
            raw[name] = {}
        section = raw[name]
        if isinstance(section, dict):
            for key in shared.keys() & record.model_fields.keys():
                section.setdefault(key, shared[key])
    try:
        return RunConfig.model_validate(raw)
    except ValidationError as error:
        raise MedllmError(
            f"{path}: {_explain(error)}.", "Correct it there or with --set."
        ) from None


def _override(raw: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise MedllmError(f"--set {override} is not section.key=value.", "Write it like that.")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise MedllmError(f"--set {override}: the value is not YAML.", "Quote it.") from None
    node = raw
    for name in names[:-1]:
        child = node.setdefault(name, {})
        if not isinstance(child, dict):
            raise MedllmError(f"--set {override}: {name} is not a section.", "Check the key.")
        node = child
    node[names[-1]] = parsed


def _explain(error: ValidationError) -> str:
    """One clause a problem, with the nearest known key for a misspelt one."""
    from difflib import get_close_matches

    clauses = []
    for problem in error.errors():
        location = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            close = get_close_matches(str(problem["loc"][-1]), _all_keys(), n=1)
            hint = f", did you mean {close[0]}?" if close else ""
            clauses.append(f"{location} is not a known key{hint}")
        elif problem["type"] == "missing":
            clauses.append(f"{location} is missing")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = "" if isinstance(problem["input"], dict) else f" (it is {problem['input']!r})"
            clauses.append(f"{location}: {message}{given}" if location else message)
    return "; ".join(clauses)


def _section_types() -> dict[str, type[Section]]:
    fields = RunConfig.model_fields.items()
    return {
        name: field.annotation
        for name, field in fields
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def _all_keys() -> list[str]:
    records: list[type[BaseModel]] = [
        *(RunConfig, TinyConfig, SourceConfig, CleanConfig, TaskConfig, GateConfig)
    ]
    records += _section_types().values()
    return sorted({key for record in records for key in record.model_fields} | set(_SHARED_KEYS))


@dataclass(frozen=True)
class RunPaths:
    """Where a run lives: ``build/<name of the config file>/``, one folder a stage."""

    root: Path

    @classmethod
    def of(cls, config: Path) -> RunPaths:
        """The run folder of a config file."""
        return cls(Path("build") / config.stem)

    def stage(self, name: str) -> Path:
        """The folder of one stage."""
        return self.root / name
