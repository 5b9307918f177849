"""Reads TypeScript and JavaScript: annotations, JSDoc, examples and what flows where."""
