"""The configuration of a run: one YAML file, one frozen record a stage.

``load_config`` is the only reader: below it nobody looks into a dictionary, the environment or a
default. A key at the top of the file (``seed``, ``version`` …) is the value for every section that
has a key of that name and does not set it itself.
"""

from medllm.pipeline.config.evaluation import EvalConfig, GateConfig, TaskConfig
from medllm.pipeline.config.load import RunConfig, RunPaths, load_config
from medllm.pipeline.config.sections import (
    BaseConfig,
    BundleConfig,
    ChatConfig,
    CleanConfig,
    ConvertConfig,
    Count,
    CreateConfig,
    FidelityConfig,
    FormatName,
    ImatrixConfig,
    MergeConfig,
    ModelfileConfig,
    PrepareConfig,
    PushConfig,
    QuantizeConfig,
    QuantType,
    Section,
    Share,
    SourceConfig,
    TermsConfig,
    TinyConfig,
    TrainConfig,
    VectorsConfig,
    Version,
)

__all__ = [
    "BaseConfig",
    "BundleConfig",
    "ChatConfig",
    "CleanConfig",
    "ConvertConfig",
    "Count",
    "CreateConfig",
    "EvalConfig",
    "FidelityConfig",
    "FormatName",
    "GateConfig",
    "ImatrixConfig",
    "MergeConfig",
    "ModelfileConfig",
    "PrepareConfig",
    "PushConfig",
    "QuantType",
    "QuantizeConfig",
    "RunConfig",
    "RunPaths",
    "Section",
    "Share",
    "SourceConfig",
    "TaskConfig",
    "TermsConfig",
    "TinyConfig",
    "TrainConfig",
    "VectorsConfig",
    "Version",
    "load_config",
]
