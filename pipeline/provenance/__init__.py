"""Where a released model comes from: card, bill of materials, digests, signatures."""
