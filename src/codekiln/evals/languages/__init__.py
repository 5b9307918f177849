"""Every language of the registry, asked for small programs and documents, and what comes of it."""
