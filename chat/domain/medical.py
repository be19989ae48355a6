"""Is a message about someone's health?"""

from __future__ import annotations

from medllm.chat.domain.greeting import is_greeting
from medllm.chat.flow import Conversation, Verdict


def is_medical(conversation: Conversation) -> Verdict:
    """Whether the last message is medical, by itself or by what was said before."""
    return Verdict(not is_greeting(conversation).yes, "the model decides")
