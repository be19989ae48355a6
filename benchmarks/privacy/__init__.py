"""Invented clinical notes with every span of personal data marked."""
