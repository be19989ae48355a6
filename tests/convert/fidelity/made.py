"""Invented dialogues, and the stages' inputs as they shall be."""

import json

TYPED = "My friend wrote </s> and <s> to me; what is it?"


def dialogue(number: int, question: str | None = None) -> str:
    """One line of a split."""
    asked = (
        question or f"For {number} days I have had a dry cough, worse at night in week {number}."
    )
    answer = f"Drink warm tea and rest. See a doctor if it lasts {number + 7} days or you feel hot."
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return json.dumps({"id": f"made-{number}", "source": "made", "messages": messages}) + "\n"
