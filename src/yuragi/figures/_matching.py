"""What defences have in common in a grid of attackers and defences, as figures name it."""

from __future__ import annotations

NAMES = {"accuracy": "same clean accuracy", "energy": "same relative variance"}
