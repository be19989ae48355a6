"""Dates finer than a year (45 CFR 164.514(b)(2)(i)(C))."""
