"""Memorisation: what a model gives away of the very data that it was trained on.

Two questions about the secrets that stage prepare recorded (``pipeline.data.canaries``): how much
better than chance does the model guess a planted one (``exposure``), and does it say one, or an
identifier of its training data, when it is asked (``extraction``)?
"""
