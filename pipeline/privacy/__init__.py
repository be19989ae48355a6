"""De-identification of clinical dialogues on Microsoft Presidio, offline."""
