"""What this library is compared with: one file a topic, each with a tuple ``COMPARISONS``."""
