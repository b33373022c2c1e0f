"""From aligned frames to network input (paper, Section III-A)."""
