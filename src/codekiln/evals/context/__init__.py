"""Long contexts: what sparse attention costs in quality against dense, on real code."""
