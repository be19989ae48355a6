"""Talking to the finished model: the flow, the red flags before it, a page and an API over both.

The entrance is ``assistant.open_chat``; what comes out of an answer is in ``events``.
"""
