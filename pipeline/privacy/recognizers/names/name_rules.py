"""Signs after which a name stands: each a pattern that ends where the name would begin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.eponyms import NEVER

Unlisted = Literal["no", "capital", "any"]


@dataclass(frozen=True)
class Rule:
    """``pattern`` is tried when one of ``words`` (lower case) occurs.

    ``sure``: a plain word or an eponym is a name here too ("Dr. Graves", "my name is Rose").
    ``unlisted``: whether a word outside all lists is a name: no, with a capital, or in any case.
    ``behind`` must match behind the name. ``small``: a lower-case word that neither a list nor
    English knows is a name. ``plain``: an English word on no list is a name with a capital.
    """

    words: frozenset[str]
    pattern: re.Pattern[str]
    sure: bool = False
    unlisted: Unlisted = "capital"
    behind: re.Pattern[str] | None = None
    small: bool = False
    plain: bool = True


def _rule(
    words: str,
    pattern: str,
    *,
    sure: bool = False,
    unlisted: Unlisted = "capital",
    behind: str | None = None,
    small: bool = False,
    plain: bool = True,
) -> Rule:
    return Rule(
        frozenset(words.split()),
        re.compile(pattern, re.IGNORECASE),
        sure,
        unlisted,
        re.compile(behind, re.IGNORECASE) if behind else None,
        small,
        plain,
    )


_RELATIVES = (
    "husband wife son daughter mother father mom mum mommy mummy dad daddy brother sister "
    "uncle aunt "
    "auntie grandmother grandfather grandma grandpa granddaughter grandson niece nephew cousin "
    "friend partner girlfriend boyfriend fiance fiancé fiancee fiancée twin twins baby "
    "child kid boy "
    "girl neighbour neighbor colleague roommate caregiver caretaker guardian spouse boss coworker "
    "stepson stepdaughter stepfather stepmother patient client therapist dentist surgeon "
    "physician pediatrician law infant newborn toddler gentleman lady"
)
_RELATIVE = "|".join(
    _RELATIVES.replace(" law ", " (?:son|daughter|mother|father|brother|sister)-in-law ").split()
)
_TITLE = (
    r"(?:drs?|mr|mrs|ms|mx|prof|capt|lt|sgt|cpl|pvt|maj|col|gen|rev|fr|sr|hon|mme|mlle|sra|srta|"
    r"dra)\b\.?|"
    r"(?:miss|mister|professor|nurse|madame|monsieur|se[nñ]ora?|herr|frau|rabbi|imam|dame)\b"
)
_OFFICE = (
    "sister|brother|matron|officer|coach|chaplain|pastor|father|deputy|detective|judge|trooper|emt|"
    "paramedic|midwife|auntie|aunt|uncle|tia|tio|grandma|grandpa|granny|nana|papa|oma|opa|captain|"
    "sergeant|lieutenant|reverend|deacon|bishop|principal|teacher|superintendent|constable|"
    "inspector"
)
_END = r"\s*(?:[,.!;:)\n\-–]|$)"
_SIGNS_OFF = r"\b(?:regards|sincerely|faithfully|wishes|respectfully|cheers)"
_PAUSE = r"[ ]*[,.:;!\-–]*\s*(?:[-–]\s*)?"
_LINE_END = r"(?:$|\n|\(?(?:MD|RN|M\.D|R\.N|MBBS|DO)\b)"
_GREETINGS = r"dear|hi+|hello|hey|hai|good[ ](?:morning|afternoon|evening)|namaste|greetings"

RULES = (
    _rule(
        "dr drs mr mrs ms mx prof capt lt sgt cpl pvt maj col gen rev fr sr hon mme mlle sra srta "
        "dra miss mister professor nurse madame monsieur señor senor señora senora herr frau rabbi "
        "imam dame",
        rf"(?<!\w)(?:{_TITLE})[ ]*",
        sure=True,
        small=True,
    ),
    _rule(_OFFICE.replace("|", " "), rf"(?<!\w)(?:{_OFFICE})[ ]+", plain=False),
    _rule("doctor", r"\bdoctor[ ]+", unlisted="no"),
    _rule(
        "asked told ask tell met saw called spoke talked spoken speak talk",
        r"\b(?:asked|told|ask|tell|met|(?:spoke|talked|spoken|speak|talk)[ ](?:with|to))[ ]+",
        unlisted="no",
    ),
    _rule(
        "note letter message call email voicemail text card",
        r"\b(?:note|letter|message|call|email|voicemail|text|card)[ ]from[ ]+",
    ),
    _rule(
        "known goes nickname nicknamed called call",
        r"\b(?:known[ ](?:to[ ]\w+[ ])?as|goes[ ]by|nicknamed?|(?:call|calls|called)[ ](?:me|him|"
        r"her|"
        r"them))[ ]+[\"“‘']",
        sure=True,
    ),
    _rule(
        _RELATIVES,
        rf"(?:\b(?:with|and)[ ]|w/[ ]?)(?:{_RELATIVE})[ ]",
        small=True,
        plain=False,
    ),
    _rule(
        "caller doctor gp nurse doc pcp dentist",
        r"(?<!\w)(?:caller:?|(?:my|her|his) (?:gp|nurse|doc|pcp)|who is your (?:doctor|nurse|gp|"
        r"dentist)\?)[ ]+",
        unlisted="no",
        small=True,
    ),
    _rule(
        "thx ty thanks thank",
        r"(?:\b(?:thx|ty|thanks|thank you)[,.! ]*\n?[ ]*[-–]?[ ]*)",
        unlisted="no",
        small=True,
        behind=r"\s*$",
    ),
    _rule(
        "name names surname nickname",
        r"\b(?:my|his|her|the|their|our|patient['’]?s?|son['’]?s?|daughter['’]?s?|"
        r"husband['’]?s?|wife['’]?s?)[ ]+"
        r"(?:(?:full|last|first|maiden|middle|real)[ ]+)*(?:sur|nick)?names?(?:[ ]*(?:is|"
        r"was|are|:|-)|['’]s)[ :,]+"
        r"|\bname[ ]+is[ ]+|\bname\?[ ]+",
        sure=True,
        unlisted="any",
    ),
    _rule(
        "call calls called goes name",
        r"\b(?:call(?:s|ed)? (?:me|him|her)|goes by|by the name of|name(?: appears as)?)[ ]+[\"“]?",
    ),
    _rule(
        "named known",
        r"\b(?:named|(?:call(?:s|ed)?|called)[ ](?:me|him|her)|known[ ]as|goes[ ]by|by the "
        r"name of)[ ]+[\"“]?",
        unlisted="no",
    ),
    _rule(
        "named",
        r"\b(?:son|daughter|boy|girl|man|woman|baby|child|doctor|nurse|someone|"
        r"guy|person|dog|cat) named[ ]+",
        sure=True,
    ),
    _rule(
        "i i'm im myself",
        r"\b(?:i am|i['’]?m|myself)[ ]+(?:also[ ]|just[ ])?",
        behind=r"\s*(?:[,.(\-–]|\band\b|from\b|here\b|\d|aged?\b|a\b|calling|speaking|writing|$)",
        unlisted="no",
        small=True,
    ),
    _rule(
        "this it it's",
        r"\b(?:this is|it is|it['’]s)[ ]+(?:also[ ]|just[ ])?",
        behind=r"\s*(?:[,.(\-–]|\band\b|from\b|here\b|\d|aged?\b|a\b|calling|speaking|writing|$)",
        unlisted="no",
    ),
    _rule(
        "dear hi hii hello hey hai morning afternoon evening namaste greetings thank thanks "
        "thanx welcome sorry okay ok",
        rf"(?<!\w)(?:{_GREETINGS}|thank you(?: so much| very much)?|thanks|thanx|welcome|"
        rf"sorry|okay|ok)"
        r"(?:[ ]*,)?[ ]+(?:dear[ ]+)?",
        behind=_END,
    ),
    _rule("dear hi hello hey", r"(?<!\w)(?:dear|hi|hello|hey)[ ]+(?:dear[ ]+)?", unlisted="no"),
    _rule(
        "regards sincerely faithfully wishes respectfully cheers",
        rf"{_SIGNS_OFF}{_PAUSE}",
        sure=True,
        behind=rf"[ ]*(?:\.|{_LINE_END})",
    ),
    _rule(
        "thanks thank care love truly warmly signed",
        rf"\b(?:thanks|thank you|take care|love|truly|warmly|signed){_PAUSE}",
        sure=True,
        behind=rf"[ ]*[.,]?[ ]*{_LINE_END}",
    ),
    _rule("regards sincerely faithfully", rf"{_SIGNS_OFF}{_PAUSE}", unlisted="no"),
    _rule(
        _RELATIVES,
        rf"\b(?:my|his|her|our|their|the|your|"
        rf"a)[ ](?:[a-z0-9\-]+[ ]){{0,2}}?(?:{_RELATIVE})(?:[ ]is)?,?[ ]\(?",
        small=True,
        plain=False,
    ),
    _rule(
        "seen treated referred care examined signed dictated performed reviewed spoke "
        "spoken discussed met appointment consulted",
        r"\b(?:seen by|treated by|referred (?:by|to)|under (?:the )?care of|examined by|"
        r"signed by|dictated by|"
        r"performed by|reviewed by|spoken? (?:with|to)|discussed with|met with|appointment "
        r"with|consulted)[ ]+",
    ),
    _rule(
        "followed operated prescribed accompanied admitted diagnosed advised told written "
        "reported by with from",
        r"\b(?:followed by|operated on by|prescribed by|accompanied by|admitted (?:by|"
        r"under)|diagnosed by|"
        r"advised by|told by|written by|reported by)[ ]+",
        unlisted="no",
    ),
    _rule(
        "name provider physician attending surgeon pcp contact kin spouse guardian author "
        "signed dictated attn witness interpreter",
        r"(?<!\w)(?:name|provider|physician|attending|surgeon|pcp|contact|next of kin|"
        r"spouse|guardian|author|"
        r"signed|dictated by|signed by|attn|witness|interpreter)(?:[ ]name)?[ ]*:[ ]*",
        sure=True,
    ),
    _rule(
        "patient doctor nurse mother father husband wife son daughter caregiver clinician "
        "therapist cc",
        r"(?<!\w)(?:patient|doctor|nurse|mother|father|husband|wife|son|daughter|caregiver|"
        r"clinician|therapist|cc)"
        r"[ ]*:[ ]*",
        unlisted="no",
    ),
)

MODALS = word_set("will may can might hope wish mark grant bill see")
"""Names that begin a question or an order when a pronoun follows: "Dr. Will this hurt?"."""
MONTHS = word_set("april may june july august march summer autumn")
NEVER_LOWER = NEVER | word_set("may will van von bin long young said")
JOBS = word_set(
    """
    practitioner practitioners specialist assistant manager midwife aide anesthetist anaesthetist
    educator navigator clinic note notes visit line triage station home advice prescriber educators
    practice led only call calls will may line supervisor coordinator liaison director officer
    """
)
"""Words that make a title a job: "Nurse Practitioner"."""
