"""A Llama-2-shaped model made here from a text file: tokenizer and pretraining, on a CPU.

It lets the whole pipeline run offline within minutes on the code paths of a real Llama 2: a
SentencePiece BPE tokenizer with the same ids and normalisation, the same architecture, 16-bit
weights. The weights are stored in float16: GGUF's F16 then holds them without loss, and at this
size all of them fit its range.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from medllm.convert.safetensors_io import TensorInfo, write_safetensors
from medllm.pipeline.config import TinyConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.tokenizer import TOKENIZER_MODEL, build_tokenizer, save_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_HELD_OUT = 0.02  # share of the documents that validate
_WARMUP = 0.1  # share of the steps
_FINAL_RATE = 0.05  # of the peak learning rate, where the cosine ends
_NOTHING = -100  # no token: fills the last block and is not predicted
_MAX_LINE = 1 << 16  # bytes; SentencePiece leaves longer lines out


@dataclass(frozen=True)
class Pretraining:
    """What pretraining came to. Losses are nats a token; perplexity is exp of them."""

    documents: int
    tokens_seen: int
    epochs: float
    train_loss: float  # mean over the last tenth of the steps
    validation_loss: float


def build_tiny(config: TinyConfig, seed: int, folder: Path) -> dict[str, JsonValue]:
    """Train tokenizer and model on ``config.corpus``, write the checkpoint, return its facts.

    The corpus is UTF-8 text; blank lines separate documents. The same corpus, config and seed
    give the same files on the same machine. Raises MedllmError for a corpus that is not UTF-8 or
    too small.
    """
    documents = _documents(config.corpus)
    model_file = folder / TOKENIZER_MODEL
    model_file.write_bytes(_train_sentencepiece(documents, config))
    tokenizer = build_tokenizer(model_file)
    model, outcome = _pretrain(config, seed, tokenizer, documents)
    state = model.half().state_dict()
    infos = {name: TensorInfo("F16", tuple(tensor.shape)) for name, tensor in state.items()}
    write_safetensors(folder / "model.safetensors", infos, state.__getitem__)
    model.config.save_pretrained(str(folder))
    save_tokenizer(tokenizer, model_file, folder)
    return {
        "vocab_size": len(tokenizer),
        "parameters": model.num_parameters(),
        "documents": outcome.documents,
        "tokens_seen": outcome.tokens_seen,
        "epochs": round(outcome.epochs, 2),
        "train_loss": round(outcome.train_loss, 4),
        "validation_loss": round(outcome.validation_loss, 4),
    }


def _documents(corpus: Path) -> list[str]:
    try:
        text = corpus.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise MedllmError(
            f"{corpus} is not UTF-8 text: byte {error.start} is wrong.", "Save it as UTF-8."
        ) from None
    if "\x00" in text:
        raise MedllmError(f"{corpus} holds a NUL character.", "Give it plain text.")
    documents = [part.strip() for part in text.replace("\r\n", "\n").split("\n\n")]
    documents = [document for document in documents if document]
    if len(documents) < 2:
        raise MedllmError(
            f"{corpus} holds {len(documents)} documents.",
            "Give it at least two, a blank line between them: one trains, one validates.",
        )
    return documents


def _train_sentencepiece(documents: list[str], config: TinyConfig) -> bytes:
    """A tokenizer.model like Llama 2's: BPE, byte fallback, digits apart, text left as it is."""
    from sentencepiece import SentencePieceTrainer

    written = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(sorted({line for d in documents for line in d.split("\n")})),
            model_writer=written,
            model_type="bpe",
            vocab_size=config.vocab_size,
            hard_vocab_limit=False,  # at most vocab_size: a small corpus has fewer pieces
            character_coverage=0.9999,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=True,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            max_sentence_length=_MAX_LINE,
            shuffle_input_sentence=False,
            num_threads=1,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise MedllmError(
            f"{config.corpus} gives no tokenizer of {config.vocab_size} pieces: {reason}.",
            "Give a longer corpus or a smaller base.tiny.vocab_size.",
        ) from None
    return written.getvalue()


def _pretrain(
    config: TinyConfig, seed: int, tokenizer: PreTrainedTokenizerFast, documents: list[str]
) -> tuple[LlamaForCausalLM, Pretraining]:
    """Minimise the next-token loss over all documents; AdamW, warm-up, then a cosine."""
    import torch
    from tqdm import tqdm
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    shuffled = [documents[i] for i in torch.randperm(len(documents)).tolist()]
    held_out = max(1, round(len(shuffled) * _HELD_OUT))
    validation = _blocks(shuffled[:held_out], tokenizer, config)
    training = _blocks(shuffled[held_out:], tokenizer, config)
    model = LlamaForCausalLM(_llama_config(config, tokenizer))
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
            {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(0.9, 0.95),
        fused=True,
    )
    losses = []
    model.train()
    batches = _batches(training, config.batch_size)
    bar = tqdm(range(config.steps), desc="pretraining", unit="step", disable=None)
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _rate(step, config.steps)
        loss = _loss(model, next(batches))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        bar.set_postfix_str(f"loss {losses[-1]:.2f}", refresh=False)
    if not math.isfinite(losses[-1]):
        raise MedllmError(
            f"Pretraining diverged: its loss is {losses[-1]}.", "Lower base.tiny.learning_rate."
        )
    model.eval()
    with torch.no_grad():
        parts = [_loss(model, block[None]) * (block[1:] >= 0).sum() for block in validation]
    tokens = config.steps * config.batch_size * config.sequence_length
    last = losses[-max(1, len(losses) // 10) :]
    return model, Pretraining(
        documents=len(documents),
        tokens_seen=tokens,
        epochs=tokens / (len(training) * config.sequence_length),
        train_loss=sum(last) / len(last),
        validation_loss=float(sum(parts) / (validation[:, 1:] >= 0).sum()),
    )


def _llama_config(config: TinyConfig, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    from transformers import LlamaConfig

    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        dtype="float16",
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        max_position_embeddings=config.context,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="eager",  # a tenth faster here than the fused one; config.json omits it
    )


def _blocks(
    documents: list[str], tokenizer: PreTrainedTokenizerFast, config: TinyConfig
) -> torch.Tensor:
    """Documents, each as BOS … EOS, laid end to end and cut: int64 [blocks, sequence_length + 1].

    Neighbouring blocks share one token, so that every token but the first is predicted once; what
    the last block lacks is filled with ``_NOTHING``.
    """
    import torch

    stream = [
        token
        for encoding in tokenizer.backend_tokenizer.encode_batch_fast(documents)
        for token in (*encoding.ids, tokenizer.eos_token_id)
    ]
    length = config.sequence_length
    stream += [_NOTHING] * (-(len(stream) - 1) % length)
    return torch.tensor(stream, dtype=torch.int64).unfold(0, length + 1, length)


def _batches(blocks: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    """Endless batches [size, sequence_length + 1], each epoch in a new order."""
    import torch

    order = torch.empty(0, dtype=torch.int64)
    while True:
        while len(order) < size:
            order = torch.cat([order, torch.randperm(len(blocks))])
        yield blocks[order[:size]]
        order = order[size:]


def _loss(model: LlamaForCausalLM, blocks: torch.Tensor) -> torch.Tensor:
    """Mean next-token cross entropy, nats a token. Matrix products run in bfloat16."""
    import torch

    inputs, targets = blocks[:, :-1].clamp_min(0), blocks[:, 1:]
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(input_ids=inputs, use_cache=False).logits
    return torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=_NOTHING
    )


def _rate(step: int, steps: int) -> float:
    """Learning rate as a share of its peak: linear warm-up, then half a cosine."""
    warmup = max(1, round(steps * _WARMUP))
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return _FINAL_RATE + (1 - _FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress))
