"""What runs in the scorer process, and only there: hidden tests and their verdicts."""
