"""What attacked networks are asked beside their robust accuracy: the sections of an experiment that describe it."""

from __future__ import annotations

from pydantic import Field

from yuragi.jobs import adaptivity, certify, corrupt, feature_space, masking, single_attacks
from yuragi.settings import Name, Settings

STUDIES = ("masking", "feature_space", "adaptivity", "certificates", "corruptions", "single_attacks")
"""The keys of an experiment that hold a study."""

Arms = tuple[Name, ...] | None


class Masking(masking.Description):
    """Are gradients masked, and do attacks average over enough noise?"""

    arms: Arms = Field(None, description="the arms that are probed, by name; null probes all of the experiment")


class FeatureSpaceStudy(feature_space.Description):
    """Images far in pixels and near in a layer."""

    arms: Arms = Field(("plain",), description="the arms that are attacked, without their noise, by name; null attacks all of the experiment")


class Adaptivity(adaptivity.Description):
    """Attackers that adapt to noise against defences by noise."""

    arms: tuple[Name] = Field(("plain",), description="the one arm whose networks are attacked, without their own noise")


class Certificates(certify.Description):
    """Certificates by randomised smoothing."""

    arms: Arms = Field(None, description="the arms that are certified, by name; null certifies all of the experiment")


class Corruptions(corrupt.Description):
    """Accuracy under random corruptions."""

    arms: Arms = Field(None, description="the arms that see corrupted images, by name; null takes all of the experiment")


class SingleAttacks(single_attacks.Description):
    """Attacks each by itself: label leaking, and adversarial beside ordinary training."""

    arms: Arms = Field(None, description="the arms that are attacked, by name; null attacks all of the experiment")


class Studies(Settings):
    """The studies of an experiment."""

    masking: Masking | None = Field(None, description="are gradients masked, and do attacks average over enough noise? null leaves it out")
    feature_space: FeatureSpaceStudy | None = Field(None, description="images far in pixels and near in a layer; null leaves it out")
    adaptivity: Adaptivity | None = Field(None, description="attackers that adapt to noise against defences by noise; null leaves it out")
    certificates: Certificates | None = Field(None, description="certificates by randomised smoothing; null leaves it out")
    corruptions: Corruptions | None = Field(None, description="accuracy under random corruptions; null leaves it out")
    single_attacks: SingleAttacks | None = Field(
        None, description="attacks each by itself, for label leaking and for what adversarial training buys; null leaves it out"
    )
