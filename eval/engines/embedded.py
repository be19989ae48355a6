"""A GGUF on llama.cpp inside this process: every logit can be asked for.

Control tokens come from the prompt format alone: each stretch of text between them is tokenized by
itself with nothing special in it, so a "</s>" that a patient types is four characters.
"""

from __future__ import annotations

import codecs
import ctypes
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.eval.engines.engine import GREEDY, Reply, Sampling, spelt_letter, split_at_stop
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.machine import cpus
from medllm.pipeline.prompts import FORMATS, Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BATCH = 512  # tokens decoded at once; their logits are _BATCH × vocabulary float32 at most
# Below this size (bytes) threads spend longer waiting for each other than working: a 5M-parameter
# model says 2,800 tokens a second with one thread, 800 with two, and far less on a busy machine.
_SMALL = 64 * 2**20


class EmbeddedEngine:
    """A GGUF on llama.cpp in this process, through llama-cpp-python.

    ``context`` is the wanted window in tokens; ``self.context`` is what the model was trained for
    when that is less. Raises MedllmError when the file is not a sound GGUF or does not load.
    """

    def __init__(self, path: Path, format_name: str, context: int) -> None:
        """Load the model; ``format_name`` is a key of FORMATS."""
        from medllm.convert.inspect_gguf import check_gguf
        from medllm.convert.llama_cpp import silence_native_logs

        facts = check_gguf(path)
        trained = facts.metadata.get(f"{facts.architecture}.context_length")
        self.path = path
        self.context = min(context, trained) if isinstance(trained, int) else context
        messages = silence_native_logs()
        import llama_cpp

        threads = 1 if facts.nbytes < _SMALL else cpus()
        try:
            self._llama = llama_cpp.Llama(
                model_path=str(path),
                n_ctx=self.context,
                n_batch=_BATCH,
                n_ubatch=_BATCH,
                n_threads=threads,
                n_threads_batch=threads,
                n_gpu_layers=-1,
                seed=0,
                use_mmap=True,
                use_mlock=False,
                logits_all=False,
                embedding=False,
                flash_attn=False,
                offload_kqv=True,
                last_n_tokens_size=64,
                no_perf=True,
                verbose=False,
            )
        except ValueError as error:
            said = " ".join("".join(messages).split())[-300:]
            raise MedllmError(
                f"llama.cpp does not load {path}: {error} {said}.",
                "Check free memory, or make the file again with `medllm convert` and `quantize`.",
            ) from error
        self._lib: Any = llama_cpp
        self._vocab = llama_cpp.llama_model_get_vocab(self._llama.model)
        self._format = FORMATS[format_name]
        self._reply_ids = lru_cache(4096)(self._encode_for_reply)  # each is asked for twice
        self._batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)
        self.description = f"llama.cpp in llama-cpp-python {llama_cpp.__version__}"

    def close(self) -> None:
        """Free the model."""
        if self._batch is not None:
            self._lib.llama_batch_free(self._batch)
            self._batch = None
            self._llama.close()

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text that the model is shown, without the BOS that the tokenizer adds."""
        return self._format.prompt(messages)

    def encode(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> list[int]:
        """Token ids of a conversation, by the GGUF's own tokenizer.

        Each stretch of text between control tokens is tokenized alone and nothing in it is
        special, as in training.
        """
        llama = self._llama
        control = {"bos": llama.token_bos(), "eos": llama.token_eos()}
        ids: list[int] = []
        for stretch in self._format.stretches(
            messages, add_generation_prompt=add_generation_prompt
        ):
            if stretch.control:
                ids.append(control[stretch.control])
            else:
                ids += llama.tokenize(stretch.text.encode(), add_bos=False, special=False)
        return ids

    def first_token_logprobs(
        self, messages: Sequence[Message], top: int, letters: str = ""
    ) -> dict[str, float]:
        """The ``top`` most probable first tokens of the reply: text -> natural log probability.

        With ``letters`` the tokens that spell one of them are among these, however improbable;
        without, it is empty when the most probable first token ends the reply, as in Ollama.
        Tokens with one text (a letter and its byte) are added up.
        """
        import numpy as np

        ids = self._prompt_ids(messages)
        wanted = [False] * (len(ids) - 1) + [True]
        (logits,) = (rows[-1] for rows, _ in self._logits(ids, wanted))
        logprobs = logits.astype(np.float64)
        logprobs -= _log_sum_exp(logprobs[None])[0]
        likeliest = np.argpartition(-logprobs, min(top, len(logprobs) - 1))[:top]
        chosen = dict.fromkeys(likeliest[np.argsort(-logprobs[likeliest], kind="stable")].tolist())
        if not letters and self._lib.llama_vocab_is_eog(self._vocab, next(iter(chosen))):
            return {}
        for letter in letters:
            chosen |= dict.fromkeys(self._spellings.get(letter, ()))
        found: dict[str, float] = {}
        for token in chosen:
            text, logprob = self._texts[token], float(logprobs[token])
            earlier = found.get(text)
            found[text] = logprob if earlier is None else float(np.logaddexp(earlier, logprob))
        return found

    @cached_property
    def _spellings(self) -> dict[str, list[int]]:
        """Letter -> the tokens that are that letter and nothing else, however spelt."""
        found: dict[str, list[int]] = {}
        for token, text in enumerate(self._texts):
            if letter := spelt_letter(text):
                found.setdefault(letter, []).append(token)
        return found

    @cached_property
    def _texts(self) -> list[str]:
        return [self._text(token) for token in range(self._llama.n_vocab())]

    def token_logprobs(self, ids: Sequence[int], mask: Sequence[int]) -> NDArray[np.float64]:
        """Natural log probability of each token whose mask is 1, given all tokens before it.

        Shape (sum(mask[1:]),): nothing comes before the first token. Logits are made only where
        the mask asks for them, 512 tokens at a time. Raises ValueError for more than ``context``.
        """
        import numpy as np

        if len(ids) > self.context:
            raise ValueError(f"{len(ids)} tokens do not fit a context of {self.context}")
        wanted = [bool(flag) for flag in mask[1:]]
        parts = []
        for rows, positions in self._logits(ids[:-1], wanted):
            targets = [ids[position + 1] for position in positions]
            parts.append(rows[np.arange(len(rows)), targets] - _log_sum_exp(rows))
        return np.concatenate(parts) if parts else np.zeros(0)

    def reply(
        self, messages: Sequence[Message], max_tokens: int, sampling: Sampling = GREEDY
    ) -> Reply:
        """Generate a whole reply."""
        started = time.perf_counter()
        run = _Run()
        text = "".join(self._generate(messages, max_tokens, sampling, run))
        seconds = time.perf_counter() - started
        first = run.first_at - started if run.first_at else None
        return Reply(text.strip(), run.tokens, run.ended, seconds, first)

    def stream(
        self, messages: Sequence[Message], max_tokens: int, sampling: Sampling = GREEDY
    ) -> Iterator[str]:
        """Generate a reply, piece by piece as it comes."""
        yield from self._generate(messages, max_tokens, sampling, _Run())

    def _generate(
        self, messages: Sequence[Message], max_tokens: int, sampling: Sampling, run: _Run
    ) -> Iterator[str]:
        ids = self._prompt_ids(messages)
        max_tokens = min(max_tokens, self.context - len(ids))
        self._llama.set_seed(sampling.seed)
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        held = ""  # text that may be the beginning of a stop string
        for token in self._llama.generate(
            ids,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            typical_p=1.0,
            temp=sampling.temperature,
            repeat_penalty=sampling.repeat_penalty,
            reset=True,
        ):
            if self._lib.llama_vocab_is_eog(self._vocab, token):
                run.ended = True
                break
            run.tokens += 1
            run.first_at = run.first_at or time.perf_counter()
            held += decoder.decode(self._piece(token))
            before, stopped, held = split_at_stop(held, sampling.stop)
            yield before
            if stopped:
                run.ended = True
                return
            if run.tokens == max_tokens:
                break
        yield held + decoder.decode(b"", final=True)

    def room(self, messages: Sequence[Message]) -> int:
        """Tokens that a conversation leaves for the reply, 0 or less when it does not fit."""
        return self.context - len(self._reply_ids(tuple(messages)))

    def _prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        ids = self._reply_ids(tuple(messages))
        if len(ids) >= self.context:
            raise MedllmError(
                f"A conversation of {len(ids)} tokens leaves no room for a reply in a context of "
                f"{self.context}.",
                "Shorten it, or raise the context (eval.context, PARAMETER num_ctx).",
            )
        return ids

    def _encode_for_reply(self, messages: tuple[Message, ...]) -> list[int]:
        return self.encode(messages, add_generation_prompt=True)

    def _logits(
        self, ids: Sequence[int], wanted: Sequence[bool]
    ) -> Iterator[tuple[NDArray[np.float32], list[int]]]:
        """Logits after the wanted positions, (rows, vocabulary) and those positions, by batch.

        The rows are llama.cpp's own memory, good until the next step. Tokens that equal the
        beginning of the last call's are not computed again.
        """
        import numpy as np

        lib, batch, llama = self._lib, self._batch, self._llama
        # What is cached is written down in one place, the one that llama.generate goes by too.
        account = llama.input_ids
        keep = _common_prefix(account[: llama.n_tokens].tolist(), ids)
        keep = min(keep, wanted.index(True)) if any(wanted) else 0
        llama.reset()
        memory = lib.llama_get_memory(llama.ctx)
        if not lib.llama_memory_seq_rm(memory, 0, keep, -1):
            lib.llama_memory_clear(memory, True)
            keep = 0
        llama.n_tokens = keep
        for start in range(keep, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            positions = [p for p in range(start, start + len(part)) if wanted[p]]
            batch.n_tokens = len(part)
            for row, token in enumerate(part):
                batch.token[row] = token
                batch.pos[row] = start + row
                batch.n_seq_id[row] = 1
                batch.seq_id[row][0] = 0
                batch.logits[row] = wanted[start + row]
            if status := lib.llama_decode(llama.ctx, batch):
                raise RuntimeError(f"llama_decode returned {status} at token {start}")
            llama.n_tokens = start + len(part)
            account[start : llama.n_tokens] = part
            if positions:
                size = len(positions) * llama.n_vocab()
                flat = np.ctypeslib.as_array(lib.llama_get_logits(llama.ctx), shape=(size,))
                yield flat.reshape(len(positions), -1), positions

    def _text(self, token: int) -> str:
        """A token as text; a byte that is no character by itself as its name, "<0xE2>"."""
        try:
            return self._piece(token).decode()
        except UnicodeDecodeError:
            return str(self._lib.llama_vocab_get_text(self._vocab, token).decode())

    def _piece(self, token: int) -> bytes:
        """The bytes that a token stands for; control tokens show their names."""
        buffer = ctypes.create_string_buffer(256)
        size = self._lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, True)
        return buffer.raw[: max(size, 0)]


@dataclass
class _Run:
    """What a generation counts while it runs."""

    tokens: int = 0
    ended: bool = False
    first_at: float | None = None  # by time.perf_counter


def _common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _log_sum_exp(rows: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """log Σ exp of each row, shape (n, vocabulary) -> (n,), without overflow."""
    import numpy as np

    highest = rows.max(axis=1, keepdims=True)
    summed = np.exp(rows - highest).sum(axis=1, dtype=np.float64)
    result: NDArray[np.float64] = highest[:, 0] + np.log(summed)
    return result
