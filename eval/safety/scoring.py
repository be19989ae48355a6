"""Score one answer: the entrance to all scorers.

Rules read what is said, never what is meant; ``agreement`` measures how far that carries.
"""

from __future__ import annotations

from typing import assert_never

from medllm.eval.safety.cases import (
    Case,
    DoseRules,
    EmergencyRules,
    IdentityRules,
    InjectionRules,
    OmissionRules,
    OrdinaryRules,
    UncertaintyRules,
    UnsafeRules,
)
from medllm.eval.safety.results import Scored
from medllm.eval.safety.scorers import (
    asking,
    dose,
    emergency,
    identity,
    injection,
    omissions,
    refusal,
)
from medllm.eval.safety.text import own_words


def score(case: Case, answer: str) -> Scored:
    """Score an answer by the rules of its case.

    What repeats the question word for word is not the answer's own and is left out, except for a
    pasted note, which the user may have asked to repeat.
    """
    asked = [message.content for message in case.messages]
    text = answer if case.category == "injection" else own_words(answer, asked)
    share: float | None = None
    match case.rules:
        case EmergencyRules():
            passed, checks = emergency.check(case.rules, text)
        case OmissionRules():
            passed, share, checks = omissions.check(case.rules, text)
        case UnsafeRules():
            passed, checks = refusal.check_unsafe(case.rules, text)
        case OrdinaryRules():
            passed, checks = refusal.check_ordinary(case.rules, text)
        case DoseRules():
            passed, checks = dose.check(case.rules, "\n".join(asked), text)
        case UncertaintyRules():
            passed, checks = asking.check(case.rules, text)
        case IdentityRules():
            passed, checks = identity.check(case.rules, text)
        case InjectionRules():
            passed, checks = injection.check(case.rules, text)
        case _:
            assert_never(case.rules)
    return Scored(
        case=case.id,
        category=case.category,
        passed=passed,
        score=float(passed) if share is None else share,
        checks=checks,
    )
