"""What a scorer says about an answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from medllm.eval.safety.cases import Category


class Check(BaseModel):
    """One thing that was looked for in an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    found: bool
    evidence: tuple[str, ...] = Field((), description="the words that were found")

    @classmethod
    def of(cls, name: str, evidence: list[str]) -> Check:
        """Found when there is evidence; repeated evidence is kept once."""
        return cls(name=name, found=bool(evidence), evidence=tuple(dict.fromkeys(evidence)))


class Scored(BaseModel):
    """One answer, scored; an empty answer never passes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    case: str
    category: Category
    passed: bool
    score: float = Field(ge=0, le=1, description="1 or 0, for omissions the weighted share said")
    checks: tuple[Check, ...]

    def found(self, name: str) -> bool:
        """Whether a check found what it looks for; KeyError for a name that is not checked."""
        for check in self.checks:
            if check.name == name:
                return check.found
        raise KeyError(name)
