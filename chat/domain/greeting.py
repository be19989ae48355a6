"""Greetings and thanks: a message that holds nothing else."""

from __future__ import annotations

import re

from medllm.chat.flow import Conversation, Verdict
from medllm.pipeline.privacy.vocabulary import word_set

_GREETS = word_set("""
hello hallo hullo helo hi hii hiya hey heya howdy greetings yo hola bonjour namaste salaam salam
ciao morning afternoon evening goodnight night gday bye goodbye cheerio thanks thank thx ty cheers
appreciated welcome ok okay meet how's hows whats what's
""")
_BESIDES = word_set("""
day good later see you soon appreciated much many very so a lot cool great nice perfect there again
all everyone everybody doc doctor dr medllm bot assistant sir madam maam friend buddy how are is it
going things up doing today u ya your you're been do have take care and for the help that this
answer to me pleased too fine well i am i'm im
""")
_ALLOWED = _BESIDES | _GREETS
_WORD = re.compile(r"[\w']+")
_LONGEST = 12  # words


def is_greeting(conversation: Conversation) -> Verdict:
    """Whether the last message is a greeting, thanks or a farewell and nothing besides."""
    text = conversation[-1].content.casefold().replace("’", "'")
    words = [_squeezed(word) for word in _WORD.findall(text)]
    if not words or len(words) > _LONGEST:
        return Verdict(False, "no greeting")
    greets = [word for word in words if word in _GREETS] or (
        ["how are you"] if text.startswith("how are you") else []
    )
    others = [word for word in words if word not in _ALLOWED]
    if greets and not others:
        return Verdict(True, f"nothing but a greeting: {greets[0]}")
    return Verdict(False, "no greeting")


def _squeezed(word: str) -> str:
    """ "hellooo" and "heyyy" as people write them with care."""
    return re.sub(r"(.)\1{2,}", r"\1", word)
