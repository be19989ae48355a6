"""A Llama tokenizer that says exactly what SentencePiece, and so llama.cpp, says.

``transformers`` 5 rebuilds Llama's tokenizer with its merges in the wrong order and tokenises a
fifth of real clinical dialogues differently from the server. This module builds it from
``tokenizer.model`` itself, after SentencePiece's own BPE (``bpe_model.cc`` in
github.com/google/sentencepiece): of all adjacent pairs whose text is a piece, merge the one with
the highest score, the leftmost first.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

TOKENIZER_MODEL = "tokenizer.model"
SPACE = "▁"  # SentencePiece writes a space as U+2581
_BPE = 2  # TrainerSpec.ModelType
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6  # ModelProto.SentencePiece.Type
_MAX_BYTES = 64 << 20  # the largest published model is a tenth of this


def read_proto(model_file: Path) -> Any:
    """Parse a SentencePiece ``tokenizer.model`` (a ``ModelProto``) that this module can reproduce.

    Raises MedllmError for a missing or damaged file, and for a model type, normalisation or kind
    of piece that would tokenise differently here or in llama.cpp.
    """
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    proto: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined, unused-ignore]
    try:
        if model_file.stat().st_size > _MAX_BYTES:
            raise DecodeError("too large")
        proto.ParseFromString(model_file.read_bytes())
    except OSError as error:
        raise MedllmError(
            f"{model_file} cannot be read: {error.strerror}.",
            "A Llama base comes with tokenizer.model: put the original file there.",
        ) from None
    except DecodeError:
        raise MedllmError(
            f"{model_file} is not a SentencePiece model.", "Fetch the original file again."
        ) from None
    for wrong in _not_reproduced(proto):
        raise MedllmError(
            f"{model_file}: {wrong}, which medllm does not reproduce.",
            "Use a base with a Llama-2 style tokenizer (SentencePiece BPE with byte fallback).",
        )
    return proto


def build_tokenizer(model_file: Path) -> PreTrainedTokenizerFast:
    """Build the tokenizer of a SentencePiece ``tokenizer.model``.

    Its ids equal SentencePiece's on any text; BOS is added once, padding is ``<unk>`` (a pad
    token of its own would outgrow the embedding). Raises MedllmError as ``read_proto`` does, or
    when the result still disagrees with SentencePiece about the model's own pieces.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    proto = read_proto(model_file)
    pieces = proto.pieces
    backend = Tokenizer(
        models.BPE(
            vocab={piece.piece: index for index, piece in enumerate(pieces)},
            merges=_merges(proto),
            unk_token=_pieces_of(proto, _UNKNOWN)[0],
            byte_fallback=True,
        )
    )
    prefixed = proto.normalizer_spec.add_dummy_prefix
    spaces = normalizers.Replace(" ", SPACE)
    backend.normalizer = (
        normalizers.Sequence([normalizers.Prepend(SPACE), spaces]) if prefixed else spaces
    )
    backend.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
        + ([decoders.Strip(" ", left=1)] if prefixed else [])
    )
    special = _pieces_of(proto, _UNKNOWN) + _pieces_of(proto, _CONTROL)
    backend.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in special])
    spec = proto.trainer_spec
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token=special[0],
        bos_token=spec.bos_piece,
        eos_token=spec.eos_piece,
        pad_token=special[0],
        add_bos_token=True,
        add_eos_token=False,
        add_prefix_space=prefixed,
        clean_up_tokenization_spaces=False,
    )
    texts = [repeated for piece in pieces for repeated in (piece.piece, piece.piece * 3)]
    odd = first_disagreement(tokenizer, load_sentencepiece(model_file), texts)
    if odd is not None or len(tokenizer) != len(pieces):
        raise MedllmError(
            f"{model_file}: {odd!r} is not tokenised as SentencePiece does it.",
            "Use a base with a Llama-2 style tokenizer (SentencePiece BPE with byte fallback).",
        )
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, model_file: Path, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json, and tokenizer.model byte for byte.

    ``save_pretrained`` alone loses tokenizer.model; llama.cpp's converter then scores every piece
    alike, and the served model reads other tokens than the trained one.
    """
    tokenizer.save_pretrained(str(folder))
    path = folder / "tokenizer_config.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    # save_pretrained leaves these out, and both transformers and llama.cpp read them.
    written |= {"add_bos_token": True, "add_eos_token": False}
    path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    copy = folder / TOKENIZER_MODEL
    if model_file.resolve() != copy.resolve():
        shutil.copyfile(model_file, copy)


def load_sentencepiece(model_file: Path) -> SentencePieceProcessor:
    """SentencePiece's own tokenizer over the same file: the reference."""
    from sentencepiece import SentencePieceProcessor

    return SentencePieceProcessor(model_file=str(model_file))


def plain_ids(backend: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Ids of texts in which nothing is special, without BOS."""
    before, backend.encode_special_tokens = backend.encode_special_tokens, True
    try:
        return [e.ids for e in backend.encode_batch_fast(texts, add_special_tokens=False)]
    finally:
        backend.encode_special_tokens = before


def first_disagreement(
    tokenizer: PreTrainedTokenizerFast,
    reference: SentencePieceProcessor,
    texts: Iterable[str],
) -> str | None:
    """The first text whose ids differ from SentencePiece's, or None when all agree."""
    listed = list(texts)
    ours = plain_ids(tokenizer.backend_tokenizer, listed)
    theirs = reference.encode(listed)
    return next((t for t, a, b in zip(listed, ours, theirs, strict=True) if a != b), None)


def _merges(proto: Any) -> list[tuple[str, str]]:
    """Every way of making a piece from two pieces, the highest score first, ties by id."""
    scored = [(-p.score, index, p.piece) for index, p in enumerate(proto.pieces) if _is_text(p)]
    names = {piece for _, _, piece in scored}
    return [
        (piece[:cut], piece[cut:])
        for _, _, piece in sorted(scored)
        for cut in range(1, len(piece))
        if piece[:cut] in names and piece[cut:] in names
    ]


def _is_text(piece: Any) -> bool:
    return bool(piece.type == _NORMAL)


def _pieces_of(proto: Any, kind: int) -> list[str]:
    return [piece.piece for piece in proto.pieces if piece.type == kind]


def _not_reproduced(proto: Any) -> Iterable[str]:
    """Say, one by one, what of a model would tokenise differently here or in llama.cpp."""
    spec, normal = proto.trainer_spec, proto.normalizer_spec
    if not proto.pieces:
        yield "it holds no pieces"
    if spec.model_type != _BPE:
        yield f"its model type is {spec.ModelType.Name(spec.model_type)}, not BPE"
    if normal.precompiled_charsmap:
        yield f"it normalises text by {normal.name or 'rules of its own'}, not by identity"
    if normal.remove_extra_whitespaces:
        yield "it removes extra spaces (remove_extra_whitespaces)"
    if not normal.escape_whitespaces or spec.treat_whitespace_as_suffix:
        yield "it does not write a space as a leading ▁"
    other = {p.type for p in proto.pieces} - {_NORMAL, _UNKNOWN, _CONTROL, _BYTE}
    if other:
        yield "it has user-defined or unused pieces"
    if len(_pieces_of(proto, _UNKNOWN)) != 1:
        yield "it does not have exactly one unknown piece"
    if {spec.bos_piece, spec.eos_piece} - set(_pieces_of(proto, _CONTROL)):
        yield f"{spec.bos_piece} and {spec.eos_piece} are not control pieces"
    if set(_pieces_of(proto, _BYTE)) != {f"<0x{byte:02X}>" for byte in range(256)}:
        yield "it has no byte fallback with all 256 bytes"
    names = [piece.piece for piece in proto.pieces]
    if len(set(names)) != len(names):
        yield "it holds a piece twice"
    letters = {piece for piece in names if len(piece) == 1}
    if any(set(p.piece) - letters for p in proto.pieces if _is_text(p)):
        yield "it has a piece with a character that is no piece itself"
