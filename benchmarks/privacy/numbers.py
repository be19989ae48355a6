"""Invented identifiers whose shape is fixed by a rule, with right check digits.

Shapes: NPI, the Luhn digit over 80840 + number (CMS, 45 CFR 162.406); MBI, CMS's position table;
VIN, 49 CFR 565.15; DEA number, the sum of digits 1, 3, 5 and twice that of 2, 4, 6.
"""

from __future__ import annotations

import unicodedata
from random import Random

_MBI_LETTERS = "ACDEFGHJKMNPQRTUVWXY"
_VIN_SIGNS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def digits(rng: Random, count: int) -> str:
    """That many digits, the first not 0."""
    return str(rng.randint(1, 9)) + "".join(str(rng.randint(0, 9)) for _ in range(count - 1))


def shaped(rng: Random, shape: str) -> str:
    """Fill a shape: 9 becomes a digit, A a capital letter, the rest stays."""
    fill = {"9": "0123456789", "A": "ABCDEFGHJKLMNPRSTUVWXYZ"}
    return "".join(rng.choice(fill[c]) if c in fill else c for c in shape)


def ssn(rng: Random) -> str:
    """A social security number from areas that were never given out before 2011."""
    area, group, serial = rng.randint(773, 899), rng.randint(1, 99), rng.randint(1, 9999)
    return rng.choice((f"{area}-{group:02d}-{serial:04d}",) * 3 + (
        f"{area} {group:02d} {serial:04d}", f"{area}{group:02d}{serial:04d}"))  # fmt: skip


def npi(rng: Random) -> str:
    """Ten digits that begin with 1 or 2."""
    body = rng.choice("12") + "".join(str(rng.randint(0, 9)) for _ in range(8))
    total = 0
    for place, sign in enumerate(reversed("80840" + body)):
        doubled = int(sign) * 2 if place % 2 == 0 else int(sign)
        total += doubled // 10 + doubled % 10
    return body + str(-total % 10)


def mbi(rng: Random) -> str:
    """A Medicare beneficiary identifier, with or without hyphens."""
    signs = {
        "C": "123456789",
        "A": _MBI_LETTERS,
        "N": "0123456789",
        "X": _MBI_LETTERS + "0123456789",
    }
    text = "".join(rng.choice(signs[c]) for c in "CAXNAXNAANN")
    return text if rng.random() < 0.5 else f"{text[:4]}-{text[4:7]}-{text[7:]}"


def vin(rng: Random) -> str:
    """17 signs, the ninth a check digit."""
    body = [rng.choice(_VIN_SIGNS) for _ in range(17)]
    body[8] = "0"
    values = [int(_VIN_VALUES.get(sign, sign)) for sign in body]
    rest = sum(v * w for v, w in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    body[8] = "X" if rest == 10 else str(rest)
    return "".join(body)


def dea(rng: Random) -> str:
    """Two letters and seven digits, the last a check digit."""
    d = [rng.randint(0, 9) for _ in range(6)]
    check = (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10
    return rng.choice("ABFM") + rng.choice("BCDKLMNPR") + "".join(map(str, d)) + str(check)


def ascii_letters(name: str) -> str:
    """Letters a to z only; "Zdeňka" becomes "zdenka"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(c for c in plain.lower() if c.isalpha())
