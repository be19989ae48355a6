"""The Hugging Face side of a conversion: what adapter and model say of themselves."""
