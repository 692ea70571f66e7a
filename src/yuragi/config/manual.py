"""The JSON schema and the manual of the configuration, generated from its classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from yuragi.attacks.base import BoundedAttack, UnboundedAttack
from yuragi.attacks.corruptions.base import ROOM as CORRUPTIONS
from yuragi.attacks.corruptions.base import Corruption
from yuragi.config.model import Choice, Config, Data, Experiment, Memorisation, NullComparison, NullValidation, StageHierarchy
from yuragi.config.sampling_study import SamplingStudy, Variant
from yuragi.config.studies import Adaptivity, Certificates, Corruptions, FeatureSpaceStudy, Masking
from yuragi.datasets.base import Dataset
from yuragi.figures.base import Figure
from yuragi.jobs import sampling_activity, sampling_attack, sampling_choose, sampling_fluctuation, sampling_memory, sampling_twin
from yuragi.jobs.attack import Evaluation
from yuragi.jobs.calibrate import Calibration
from yuragi.jobs.feature_space import Generation, Optimisation
from yuragi.jobs.ingest import Quality
from yuragi.jobs.prediction import Prediction
from yuragi.jobs.spectra import Estimation as SpectrumEstimation
from yuragi.jobs.spontaneous import Estimation as AutoregressionEstimation
from yuragi.jobs.target import Description as TargetDescription
from yuragi.jobs.train import Arm
from yuragi.models.base import Architecture
from yuragi.models.front_ends.base import FrontEnd
from yuragi.noise.base import Noise
from yuragi.plugins import Plugin, discover
from yuragi.regularizers.base import Penalty
from yuragi.sampling.activity_settings import LatentSettings, ResemblanceSettings, SpectrumSettings, VariabilitySettings
from yuragi.sampling.memory_settings import GenerativeSettings, StorageSettings
from yuragi.sampling.settings import Chain, NetworkSettings
from yuragi.spontaneous.nulls.base import NullModel
from yuragi.training.settings import TrainingSettings

SECTIONS: dict[str, type[BaseModel]] = {
    "": Config,
    "data": Data,
    "quality": Quality,
    "spectra": SpectrumEstimation,
    "spontaneous": AutoregressionEstimation,
    "calibration": Calibration,
    "hierarchies.<name>": StageHierarchy,
    "null_comparison": NullComparison,
    "null_comparison.prediction": Prediction,
    "null_comparison.validation": NullValidation,
    "target": TargetDescription,
    "arms.<name>": Arm,
    "evaluation": Evaluation,
    "choices.<name>": Choice,
    "experiments.<name>": Experiment,
    "experiments.<name>.training": TrainingSettings,
    "experiments.<name>.memorisation": Memorisation,
    "experiments.<name>.masking": Masking,
    "experiments.<name>.feature_space": FeatureSpaceStudy,
    "experiments.<name>.feature_space.optimisation": Optimisation,
    "experiments.<name>.feature_space.generation": Generation,
    "experiments.<name>.adaptivity": Adaptivity,
    "experiments.<name>.certificates": Certificates,
    "experiments.<name>.corruptions": Corruptions,
    "sampling.<name>": SamplingStudy,
    "sampling.<name>.network": NetworkSettings,
    "sampling.<name>.chain": Chain,
    "sampling.<name>.choice": sampling_choose.Description,
    "sampling.<name>.variants.<name>": Variant,
    "sampling.<name>.twin": sampling_twin.Description,
    "sampling.<name>.fluctuation": sampling_fluctuation.Description,
    "sampling.<name>.activity": sampling_activity.Description,
    "sampling.<name>.activity.variability": VariabilitySettings,
    "sampling.<name>.activity.spectrum": SpectrumSettings,
    "sampling.<name>.activity.spontaneous": ResemblanceSettings,
    "sampling.<name>.activity.spontaneous.latent": LatentSettings,
    "sampling.<name>.memory": sampling_memory.Description,
    "sampling.<name>.memory.generative": GenerativeSettings,
    "sampling.<name>.memory.storage": StorageSettings,
    "sampling.<name>.robustness": sampling_attack.Description,
}

ROOMS: dict[str, tuple[str, type[Plugin]]] = {
    "recordings.<name>, experiments.<name>.images, sampling.<name>.images": ("yuragi.datasets", Dataset),
    "experiments.<name>.network": ("yuragi.models", Architecture),
    "null_comparison.nulls.<name>": ("yuragi.spontaneous.nulls", NullModel),
    "arms.<name>.front_end, experiments.<name>.network.front_end": ("yuragi.models.front_ends", FrontEnd),
    "arms.<name>.penalty": ("yuragi.regularizers", Penalty),
    "arms.<name>.noise": ("yuragi.noise", Noise),
    "attacks.<name>": ("yuragi.attacks", BoundedAttack),
    "experiments.<name>.adaptivity.attacks.<name>, those without a bound": ("yuragi.attacks", UnboundedAttack),
    "experiments.<name>.corruptions.corruptions.<name>": (CORRUPTIONS, Corruption),
    "figures, made where their results are there": ("yuragi.figures", Figure),
}

INTRODUCTION = """# The configuration

This page is generated from the code (`make manual`); a test keeps the two in step.

| file | what it computes |
|---|---|
| `demo.yaml` | the default: data that come inside packages and simulated ones with known truth |
| `tiny.yaml` | the whole path in a minute, to try out a cluster or an installation |
| `recordings.yaml` | the same path on real public recordings |
| `estimators.yaml` | which estimator of the exponent to trust when, on planted exponents |
| `spontaneous.yaml` | resting activity of 16 people beside null models of it, and the power of that comparison |
| `networks.yaml` | networks held to the exponent of V4, every control beside them, and learning by rote, on MNIST |
| `attacks.yaml` | networks and noises attacked with all there is: adaptive attackers, feature space, certificates, corruptions |
| `adversarial.yaml`, `adversarial_cifar10.yaml` | training on adversarial images: label leaking, capacity, batch normalisation, transfer |
| `sampling.yaml` | networks that learn by sampling, beside controls and twins trained by gradients, on MNIST and digits |
| `reference_*.yaml` | the brain targets that come with yuragi (`make references`) |
| `paper.yaml` | whole image sets and larger networks, for a GPU or a cluster |

Choose one with `snakemake --cores 2 --configfile config/recordings.yaml` or `make run CONFIG=config/recordings.yaml`. An unknown key or
value is refused in one line before anything runs. `schema.json` serves editors that complete and check YAML: begin a file with
`# yaml-language-server: $schema=schema.json`.
"""


def schema_text() -> str:
    """The JSON schema of the configuration."""
    return json.dumps(Config.model_json_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def manual_text() -> str:
    """The manual of every key, as Markdown."""
    parts = [INTRODUCTION]
    for place, model in SECTIONS.items():
        parts.append(f"## `{place}`\n" if place else "## Top level\n")
        parts.append(_table(model.model_fields))
    parts.append("# Kinds\n\nThe key `kind` chooses one; the other keys are its options.\n")
    for place, (room, base) in ROOMS.items():
        parts.append(f"## {place}\n")
        for kind, plugin in discover(room, base).items():
            parts.append(f"### `kind: {kind}`\n\n{plugin.title()}\n")
            options = {
                name: field
                for name, field in plugin.model_fields.items()
                if name != "kind" and not (base is BoundedAttack and name in ("eps", "norm"))
            }
            if options:
                parts.append(_table(options))
    return "\n".join(parts)


def _table(fields: dict[str, FieldInfo]) -> str:
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *_rows(fields)]) + "\n"


def _rows(fields: dict[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{name}` | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own defaults"
    if isinstance(value, dict) and any(isinstance(item, BaseModel) for item in value.values()):
        return ", ".join(f"`{name}`" for name in value)
    return f"`{json.dumps(value)}`"
