"""The brain target: the one file that crosses from recordings to networks.

A small NetCDF file with, for each stage of the hierarchy, the exponent of the covariance spectrum with its interval, the model of spontaneous
activity, and images with the similarities of the responses to them. Anyone can write one by hand, in a notebook, from their own data:
`BrainTarget.read` tells what is missing or wrong. The smallest files hold ``alpha (stage)``, or the three variables ``eigenvalues (component)``,
``coefficients (lag, component, other_component)`` and ``innovation_covariance (component, other_component)``, or the two
variables ``images (stimulus, channel, height, width)`` and ``similarity (stimulus, other_stimulus)``.
"""

from __future__ import annotations

# Imported here and not lazily: the digest of a job's code follows import statements, and no job uses a target in part.
from yuragi.targets.brain_target import BrainTarget
from yuragi.targets.reference import reference_names, reference_target
from yuragi.targets.similarity import StimulusSimilarity
from yuragi.targets.spontaneous_model import SpontaneousModel
from yuragi.targets.stage import Stage

__all__ = ["BrainTarget", "SpontaneousModel", "Stage", "StimulusSimilarity", "reference_names", "reference_target"]
