"""Red flags: emergencies found by rules in the user's words, before any model is asked."""
