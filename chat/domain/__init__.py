"""Is a message about someone's health, or a greeting?"""
