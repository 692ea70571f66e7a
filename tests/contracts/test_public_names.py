"""The names that others build on mean the same whatever was imported before."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

NAMES = {
    "datasets": {"load", "names", "fetch"},
    "spectra": {
        "cvpca",
        "pca_spectrum",
        "meme",
        "cross_decomposition",
        "svca",
        "representational_similarity",
        "similarity_reliability",
        "participation_ratio",
        "fit_power_law",
        "estimate",
        "compare_hierarchy",
    },
    "spontaneous": {
        "fit_var",
        "phase_randomize",
        "autoregressive_surrogate",
        "spectral_covariance_surrogate",
        "static_surrogate",
        "coactivation_patterns",
        "fit_hidden_markov",
        "predict_held_out",
        "compare_with_nulls",
        "select_order",
        "response_alignment",
    },
    "targets": {"BrainTarget", "SpontaneousModel", "Stage", "StimulusSimilarity", "reference_target"},
    "models": {"Network", "Architecture", "Perceptron", "CNN", "VGG", "ResNet18", "ResNet50"},
    "regularizers": {
        "Penalty",
        "Batch",
        "Asked",
        "ExponentPenalty",
        "SpectralPenalty",
        "SpectralConstraint",
        "JacobianPenalty",
        "PixelSimilarityPenalty",
        "NeuralSimilarityPenalty",
        "layer_covariances",
    },
    "noise": {"Noise", "SpontaneousNoise", "Spontaneous", "WhiteNoise", "Modified", "NeuronalNoise"},
    "attacks": {
        "Attack",
        "BoundedAttack",
        "UnboundedAttack",
        "FGSM",
        "StepLL",
        "StepRnd",
        "BasicIterative",
        "IterativeLL",
        "PGD",
        "APGD",
        "FAB",
        "Square",
        "HopSkipJump",
        "Suite",
        "RandomNoise",
        "FeatureSpace",
        "FeatureSpaceGenerator",
        "gradient_pass",
        "loss_gradient",
    },
    "attacks.corruptions": {
        "Corruption",
        "applicable",
        "GaussianNoise",
        "ShotNoise",
        "ImpulseNoise",
        "SpeckleNoise",
        "GaussianBlur",
        "DefocusBlur",
        "GlassBlur",
        "MotionBlur",
        "ZoomBlur",
        "Brightness",
        "Fog",
        "Snow",
        "Contrast",
        "Saturate",
        "Pixelate",
        "Jpeg",
        "Elastic",
    },
    "training": {
        "TrainingSettings",
        "build_network",
        "train",
        "choose_settings",
        "best",
        "memorise",
        "accuracy",
        "noise_at_readout",
        "layer_spectrum",
        "layer_responses",
        "save_network",
        "load_network",
    },
    "robustness": {
        "evaluate",
        "ThreatModel",
        "Verdicts",
        "inspect_network",
        "masking_probes",
        "FrozenNoise",
        "feature_space_distances",
        "geometry_by_layer",
        "adaptivity_grid",
        "summarise_grid",
        "grid_claims",
        "match_accuracy",
        "match_energy",
        "certify",
        "predict",
        "evaluate_corruptions",
        "summarise_corruptions",
        "corruption_differences",
        "arm_verdicts",
        "network_properties",
        "paired_differences",
        "summarise",
    },
    "sampling": {
        "SamplingSettings",
        "Sampler",
        "Synapses",
        "Patterns",
        "Posterior",
        "sample_chains",
        "predict",
        "output_samples",
        "complete",
        "generate",
        "recall",
        "mixing",
        "r_hat",
        "log_joint",
        "binarise",
        "one_hot",
    },
}

# A submodule becomes an attribute of its package when it is imported, and a function of the same name is then the module.
DESCRIBE = """
import importlib, inspect, json, pkgutil, sys
room = sys.argv[1]

def names():
    for name in importlib.import_module(room).__all__:
        scope = {}
        exec(f"from {room} import {name}", scope)
        yield name, scope[name]

def modules():
    for found in pkgutil.iter_modules(importlib.import_module(room).__path__):
        importlib.import_module(f"{room}.{found.name}")

if sys.argv[2] == "modules first":
    modules()
    values = dict(names())
else:
    values = dict(names())
    modules()
    assert all(value is values[name] for name, value in names()), "a name has changed its meaning"
package = importlib.import_module(room)
assert all(getattr(package, name) is value for name, value in values.items())
kind = lambda value: "class" if inspect.isclass(value) else "function" if inspect.isfunction(value) else type(value).__name__
print(json.dumps({name: [kind(value), value.__name__, bool((value.__doc__ or "").strip())] for name, value in values.items()}))
"""


@pytest.mark.parametrize("order", ["modules first", "names first"])
@pytest.mark.parametrize("room", NAMES)
def test_a_name_is_what_it_says_in_either_order_of_imports(room: str, order: str) -> None:
    done = subprocess.run([sys.executable, "-c", DESCRIBE, f"yuragi.{room}", order], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) >= NAMES[room]
    for name, description in found.items():
        assert description == ["class" if name[0].isupper() else "function", name, True], name
