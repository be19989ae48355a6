"""How far a quantized model has moved from its own F16, and whether it may be offered."""
