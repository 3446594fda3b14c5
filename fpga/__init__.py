"""What gets to a board: synthesis targets, boards, demos, the host link."""
