"""De-identification of dialogues: find, then replace by invented values or by tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medllm.pipeline.privacy.identifiers import Mode, PhiType, Replacement, Scrubbed, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Scrubber:
    """Stateless between calls: the result depends on mode, seed and the dialogue alone.

    The first one in a process imports Presidio and reads the lists of names and places: some five
    seconds and 600 MB, so build it before workers are forked. Texts that still hold an identifier
    afterwards are possible: see ``residual``.
    """

    def __init__(self, mode: Mode, seed: int) -> None:
        """``surrogates`` writes invented values of the same form, ``tags`` writes ``[NAME]``."""
        from medllm.pipeline.privacy.find import find
        from medllm.pipeline.privacy.vocabulary.lexicon import lexicon

        self.mode = mode
        self.seed = seed
        self._find = find
        self._flags: Mapping[str, int] = lexicon().flags

    def find(self, text: str) -> list[Span]:
        """Identifiers of one text by itself: sorted, not overlapping."""
        return self._find(text)

    def scrub(self, texts: Sequence[str]) -> Scrubbed:
        """The turns of ONE dialogue with every identifier replaced.

        What was recognised in one turn is replaced in all of them: a name that was introduced with
        a title is found later without it.
        """
        spans = [self._find(text) for text in texts]
        if not any(spans):
            return Scrubbed(tuple(texts), ((),) * len(texts))
        from medllm.pipeline.privacy.repeats import with_repeats

        spans = with_repeats(texts, spans, self._flags)
        new = self._replacer(texts, spans)
        results: list[str] = []
        replaced: list[tuple[Replacement, ...]] = []
        for text, found in zip(texts, spans, strict=True):
            items = []
            pieces: list[str] = []
            done = 0
            for span in found:
                original = text[span.start : span.end]
                value = new(span.type, original)
                items.append(Replacement(span.start, span.end, span.type, original, value))
                pieces += (text[done : span.start], value)
                done = span.end
            results.append("".join((*pieces, text[done:])))
            replaced.append(tuple(items))
        return Scrubbed(tuple(results), tuple(replaced))

    def _replacer(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]]
    ) -> Callable[[PhiType, str], str]:
        if self.mode == "tags":
            return lambda type_, original: f"[{type_}]"
        from medllm.pipeline.privacy.surrogates import Disguise

        found = [
            (span.type, text[span.start : span.end])
            for text, those in zip(texts, spans, strict=True)
            for span in those
        ]
        return Disguise(self.seed, texts, found, self._flags).replacement
