"""QLoRA fine-tuning: a frozen NF4 base under LoRA adapters, the same code on CPU and CUDA.

QLoRA is Dettmers et al., arXiv 2305.14314 (NF4, double quantisation); LoRA is Hu et al., arXiv
2106.09685. TRL's SFTTrainer runs the loop; the rows come already tokenised and masked.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.pipeline.config import RunPaths, TrainConfig
from medllm.pipeline.data.schema import read_dialogues
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.prompts import FORMATS
from medllm.pipeline.quiet import quiet_libraries
from medllm.pipeline.weights.packing import PackedBatch, packed_columns
from medllm.pipeline.weights.rows import Rows, build_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def train(config: TrainConfig, paths: RunPaths) -> Manifest:
    """Train an adapter into ``train/adapter``, with metrics.jsonl and curves beside it.

    Killed at any moment and started again with the same config and inputs, it goes on from its
    last whole checkpoint; SIGTERM saves one first. Raises MedllmError when no row fits, a
    projection does not exist, rows may be longer than the base's context, or the loss diverges.
    """
    return stage("train", config, paths, lambda work: _train(config, work), resumable=True)


def _train(config: TrainConfig, work: Work) -> None:
    quiet_libraries()
    import torch
    from transformers import PreTrainedTokenizerFast, set_seed

    from medllm.pipeline.weights.callbacks import last_whole_checkpoint
    from medllm.pipeline.weights.curves import draw_curves
    from medllm.pipeline.weights.stopping import sigterm_saves

    set_seed(config.seed)
    base = work.inputs["base"]
    _check_context(config, base)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    train_rows = _rows(config, work.inputs["prepare"] / "train.jsonl", tokenizer)
    validation_rows = _rows(config, work.inputs["prepare"] / "validation.jsonl", tokenizer)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    work.device = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    trainer = _trainer(
        config, work, _quantised(base, device), tokenizer, train_rows, validation_rows
    )
    checkpoint = last_whole_checkpoint(work.checkpoints)
    with sigterm_saves(trainer):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history = trainer.state.log_history
    _save_adapter(trainer.model, work.dir / "adapter")
    draw_curves(history, work.dir)
    work.report |= {
        "rows": len(train_rows.input_ids),
        "validation_rows": len(validation_rows.input_ids),
        "shortened": train_rows.shortened,
        "dropped": train_rows.dropped,
        "tokens": train_rows.tokens,
        "supervised_tokens": train_rows.supervised_tokens,
        "steps": trainer.state.global_step,
        "resumed_from": checkpoint.name if checkpoint else None,
        "trainable_parameters": sum(
            p.numel() for p in trainer.model.parameters() if p.requires_grad
        ),
        "validation": _last(history, "eval_loss", "eval_mean_token_accuracy"),
        "training": _last(history, "loss", "mean_token_accuracy"),
    }


def _check_context(config: TrainConfig, base: Path) -> None:
    context = json.loads((base / "config.json").read_bytes()).get("max_position_embeddings")
    if context is not None and config.max_length > context:
        raise MedllmError(
            f"train.max_length {config.max_length} is above the base's context of {context}.",
            f"Set it to {context} or less.",
        )


def _rows(config: TrainConfig, path: Path, tokenizer: PreTrainedTokenizerFast) -> Rows:
    import click

    dialogues = ((d.messages, FORMATS[d.format or config.format]) for d in read_dialogues(path))
    rows = build_rows(dialogues, tokenizer, config.max_length)
    click.echo(
        f"{path.name}: {len(rows.input_ids)} rows, {rows.supervised_tokens} of {rows.tokens} "
        f"tokens supervised; {rows.shortened} shortened and {rows.dropped} dropped for being "
        f"longer than {config.max_length} tokens",
        err=True,
    )
    if not rows.input_ids:
        raise MedllmError(
            f"No dialogue of {path} fits train.max_length {config.max_length}.",
            "Raise it, or prepare shorter dialogues.",
        )
    return rows


def _quantised(base: Path, device: str) -> PreTrainedModel:
    """The base in NF4 with double quantisation; what is not a linear layer stays 16-bit."""
    import torch
    from bitsandbytes.nn import Linear4bit
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        base,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
        dtype=torch.bfloat16,
        device_map={"": device},
        # torch's fused attention is slower than plain products for a small model on a CPU
        attn_implementation="eager" if device == "cpu" else "sdpa",
        use_safetensors=True,
    )
    for layer in model.modules():
        # On CPUs with AVX512-BF16, bitsandbytes 0.50 repacks a layer at its first evaluation, with
        # coarser scales, and training goes on from those: a resumed run would part from the first.
        if isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False
    return model


def _trainer(
    config: TrainConfig,
    work: Work,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    train_rows: Rows,
    validation_rows: Rows,
) -> Any:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PrinterCallback, ProgressCallback
    from trl import SFTConfig, SFTTrainer
    from trl.trainer import utils as trl_utils

    from medllm.pipeline.weights.callbacks import MetricsLog, ProgressBar, WholeCheckpoints
    from medllm.pipeline.weights.stopping import StopWhenDiverging

    missing = [n for n in config.target_modules if not _has_module(model, n)]
    if missing:
        raise MedllmError(
            f"The base has no layer named {', '.join(missing)} (train.target_modules).",
            "Name projection layers that it has.",
        )
    # Off CUDA, TRL puts every position through the head and throws most of them away, so that some
    # accelerators compile one shape only; a CPU gains by scoring the supervised ones alone.
    trl_utils._use_triton = lambda device: True
    columns = _columns(train_rows, config)
    steps_an_epoch = math.ceil(len(columns["input_ids"]) / config.batch_size / config.accumulation)
    steps = max(1, math.ceil(steps_an_epoch * config.epochs))
    interval = max(1, math.ceil(steps / config.evaluations))
    arguments = SFTConfig(
        output_dir=str(work.checkpoints),
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(steps * config.warmup_share),
        optim=config.optimizer,
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=True,
        activation_checkpointing=config.gradient_checkpointing,
        max_length=None,  # rows are cut, and the cuts counted, before they come here
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        eval_strategy="steps",
        eval_steps=interval,
        save_strategy="steps",
        save_steps=interval,
        save_total_limit=2,
        logging_steps=max(1, steps // 100),
        logging_first_step=True,
        logging_nan_inf_filter=False,  # StopWhenDiverging must see them
        report_to="none",
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=model.device.type == "cpu",
        dataloader_pin_memory=model.device.type == "cuda",
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        eval_dataset=Dataset.from_dict(_columns(validation_rows, config)),
        processing_class=tokenizer,
        data_collator=PackedBatch(tokenizer.pad_token_id or 0) if config.packing else None,
        peft_config=LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=list(config.target_modules),
            bias="none",
            task_type="CAUSAL_LM",
        ),
        callbacks=[
            StopWhenDiverging(work.checkpoints),
            ProgressBar(),
            MetricsLog(work.dir / "metrics.jsonl"),
            WholeCheckpoints(work.checkpoints),
        ],
    )
    for stock in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(stock)
    # TRL leaves the adapter in bfloat16, whose 8 bits lose small updates; autocast computes in
    # bfloat16 all the same.
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return trainer


def _columns(rows: Rows, config: TrainConfig) -> dict[str, list[list[int]]]:
    if config.packing:
        return packed_columns(rows, config.max_length)
    return {"input_ids": rows.input_ids, "labels": rows.labels}


def _has_module(model: PreTrainedModel, name: str) -> bool:
    return any(path.rsplit(".", 1)[-1] == name for path, _ in model.named_modules())


def _save_adapter(model: Any, folder: Path) -> None:
    """PEFT's own format, without its model card and without this machine's path to the base."""
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = "base"
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _last(history: list[dict[str, float]], *keys: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in history:
        found |= {key: entry[key] for key in ("step", *keys) if key in entry and keys[0] in entry}
    return found
