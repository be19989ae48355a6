"""Three readers of one conversation: the tokenizer of training, SentencePiece, and llama.cpp."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from medllm.convert.gate.texts import Conversation
from medllm.convert.inspect_gguf import check_gguf
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message, PromptFormat, Stretch
from medllm.pipeline.weights.tokenizer import (
    SPACE,
    TOKENIZER_MODEL,
    load_sentencepiece,
    read_proto,
)

_AROUND = 3  # tokens shown before the first difference
_SHOWN = 8  # tokens shown in all
_AGAIN = "Run stage base and then convert again; if it stays, report it."
_UNKNOWN, _CONTROL, _BYTE = 2, 3, 6  # SentencePiece's types of a piece


class Counts(NamedTuple):
    """What one conversation held."""

    tokens: int
    supervised: int
    typed_controls: bool  # whether its words hold a control string


class TokenGate:
    """A run's tokenizer and the vocabulary of one GGUF, compared conversation by conversation."""

    def __init__(self, folder: Path, gguf: Path, prompt_format: PromptFormat) -> None:
        """Load both; ``folder`` holds tokenizer.model and tokenizer.json as stage base writes them.

        Raises MedllmError when a file is damaged, or llama.cpp does not load the GGUF.
        """
        from transformers import PreTrainedTokenizerFast

        from medllm.convert.llama_cpp import silence_native_logs

        proto = read_proto(folder / TOKENIZER_MODEL)
        check_gguf(gguf)
        self.format, self.gguf = prompt_format, gguf
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        self._pieces = [piece.piece for piece in proto.pieces]
        self._types = [piece.type for piece in proto.pieces]
        self.controls = tuple(
            piece.piece for piece in proto.pieces if piece.type in (_UNKNOWN, _CONTROL)
        )
        self._sentencepiece = load_sentencepiece(folder / TOKENIZER_MODEL)
        self.bos, self.eos = self._sentencepiece.bos_id(), self._sentencepiece.eos_id()
        said = silence_native_logs()
        from llama_cpp import Llama

        try:
            self._llama = Llama(str(gguf), vocab_only=True, verbose=False)
        except ValueError:
            last = " / ".join(line.strip() for line in list(said)[-3:])
            raise MedllmError(f"llama.cpp does not load {gguf}: {last}.", _AGAIN) from None

    def close(self) -> None:
        """Free llama.cpp's vocabulary."""
        self._llama.close()

    def check(self, conversation: Conversation) -> Counts:
        """Compare all readers on a conversation and on the prompt for each of its answers.

        Beyond equal ids: one BOS an exchange, at its start, and one EOS an answer, at its end and
        supervised; nothing that a person typed is a control token; the prompt before the last
        answer is the beginning of the training row. Raises MedllmError at the first difference.
        """
        messages = conversation.messages
        encoded = self.format.encode(self.tokenizer, messages)
        stretches = list(self.format.stretches(messages))
        parts = [self._sentencepiece_ids(stretch) for stretch in stretches]
        self._same(conversation, stretches, parts, "training", encoded.input_ids)
        self._same(conversation, stretches, parts, "llama.cpp", self._llama_ids(stretches))
        self._check_controls(conversation, stretches, parts, encoded.assistant_mask)
        self._check_prompt(conversation, encoded.input_ids)
        typed = any(control in stretch.text for stretch in stretches for control in self.controls)
        if not typed:
            self._same(conversation, stretches, parts, "llama.cpp's server", self.served(messages))
        return Counts(len(encoded.input_ids), sum(encoded.assistant_mask), typed)

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """What training made of a prompt."""
        return self.format.encode(self.tokenizer, messages, add_generation_prompt=True).input_ids

    def served(self, messages: Sequence[Message]) -> list[int]:
        """What a server makes of a conversation's text: it parses control strings, whoever typed.

        The text holds BOS and EOS written out, as Ollama's template renders them.
        """
        asking = messages[-1].role == "user"
        text = self.format.render(messages, add_generation_prompt=asking).removeprefix("<s>")
        ids: list[int] = self._llama.tokenize(text.encode(), add_bos=True, special=True)
        return ids

    def shown(self, ids: Iterable[int]) -> str:
        """Ids with their pieces, ``518 '▁['``."""
        return " ".join(
            f"{i} {self._pieces[i]!r}" if 0 <= i < len(self._pieces) else f"{i} (no piece)"
            for i in ids
        )

    def _sentencepiece_ids(self, stretch: Stretch) -> list[int]:
        if stretch.control:
            return [self.bos if stretch.control == "bos" else self.eos]
        ids: list[int] = self._sentencepiece.encode(stretch.text)
        return ids

    def _llama_ids(self, stretches: Iterable[Stretch]) -> list[int]:
        llama, ids = self._llama, list[int]()
        control = {"bos": llama.token_bos(), "eos": llama.token_eos()}
        for stretch in stretches:
            if stretch.control:
                ids.append(control[stretch.control])
            else:
                ids += llama.tokenize(stretch.text.encode(), add_bos=False, special=False)
        return ids

    def _same(
        self,
        conversation: Conversation,
        stretches: Sequence[Stretch],
        parts: Sequence[list[int]],
        reader: str,
        found: list[int],
    ) -> None:
        expected = [token for part in parts for token in part]
        if found == expected:
            return
        pairs = enumerate(zip(expected, found, strict=False))
        shortest = min(len(expected), len(found))
        at = next((i for i, (a, b) in pairs if a != b), shortest)
        begin = max(0, at - _AROUND)
        self._refuse(
            conversation,
            f"token {at} of {len(expected)}: SentencePiece reads "
            f"{self.shown(expected[begin : begin + _SHOWN])}, {reader} reads "
            f"{self.shown(found[begin : begin + _SHOWN])}",
            self._excerpt(stretches, parts, at),
        )

    def _check_controls(
        self,
        conversation: Conversation,
        stretches: Sequence[Stretch],
        parts: Sequence[list[int]],
        mask: Sequence[int],
    ) -> None:
        """BOS and EOS stand where the template puts them, and nowhere else."""
        roles = [message.role for message in conversation.messages]
        expected = {"bos": roles.count("user"), "eos": roles.count("assistant")}
        found = {name: sum(s.control == name for s in stretches) for name in expected}
        wrong = ""
        if found != expected:
            wrong = f"{found['bos']} BOS and {found['eos']} EOS in a conversation of {expected}"
        elif stretches[0].control != "bos":
            wrong = "no BOS at the start"
        position = 0
        for stretch, part in zip(stretches, parts, strict=True):
            learnt = mask[position : position + len(part)]
            if stretch.control == "eos" and not learnt[0]:
                wrong = f"an EOS without loss at token {position}"
            elif stretch.control == "bos" and learnt[0]:
                wrong = f"a BOS with loss at token {position}"
            elif not stretch.control and any(self._types[i] in (_UNKNOWN, _CONTROL) for i in part):
                wrong = f"a control token out of somebody's words after token {position}"
            elif not stretch.control and self._words(part, learnt) != _learnt(stretch):
                wrong = f"loss on other words than the assistant's after token {position}"
            position += len(part)
        if wrong:
            self._refuse(conversation, wrong, repr(self.format.render(conversation.messages)[:80]))

    def _check_prompt(self, conversation: Conversation, row: list[int]) -> None:
        messages = conversation.messages
        if messages[-1].role != "assistant":
            return
        prompt = self.prompt_ids(messages[:-1])
        if row[: len(prompt)] != prompt:
            pairs = enumerate(zip(prompt, row, strict=False))
            at = next((i for i, (a, b) in pairs if a != b), len(row))
            begin = max(0, at - _AROUND)
            self._refuse(
                conversation,
                f"token {at}: the prompt ends in {self.shown(prompt[begin : begin + _SHOWN])}, "
                f"its training row goes on {self.shown(row[begin : begin + _SHOWN])}",
                repr(messages[-1].content[:40]),
            )

    def _words(self, ids: Sequence[int], mask: Sequence[int]) -> bytes:
        """The bytes of the tokens that carry loss; SentencePiece's leading space is one more."""
        return b"".join(
            self._bytes(token) for token, learnt in zip(ids, mask, strict=True) if learnt
        )

    def _bytes(self, token: int) -> bytes:
        piece: str = self._pieces[token]
        if self._types[token] == _BYTE:
            return bytes.fromhex(piece[3:5])
        return piece.replace(SPACE, " ").encode()

    def _excerpt(self, stretches: Sequence[Stretch], parts: Sequence[list[int]], at: int) -> str:
        """The words around token ``at``, escaped."""
        for stretch, part in zip(stretches, parts, strict=True):
            if at < len(part) and not stretch.control:
                before = b"".join(map(self._bytes, part[:at])).decode(errors="ignore")
                middle = len(before)
                return ascii(stretch.text[max(0, middle - 30) : middle + 30])
            at -= len(part)
        return ascii(stretches[-1].text[-60:])

    def _refuse(self, conversation: Conversation, what: str, excerpt: str) -> NoReturn:
        raise MedllmError(
            f"{self.gguf.name} and training part at {conversation.origin}, {what}; the text is "
            f"{excerpt}.",
            _AGAIN,
        )


def _learnt(stretch: Stretch) -> bytes:
    """The words that the assistant must learn to say, as the pieces spell them."""
    return "".join(stretch.text[a:b] for a, b in stretch.learnt).replace(SPACE, " ").encode()
