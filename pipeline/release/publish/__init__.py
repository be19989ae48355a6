"""What leaves the machine: the gate, the push to a registry, its verification, the way back."""
