"""What stage prepare did: counted while it runs, written for people and for programs."""
