"""A small run's results, written as the jobs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from yuragi.attacks.feature_space import FeatureSpace
from yuragi.datasets.simulation import power_law_responses, vector_autoregression
from yuragi.figures.base import Figure, Results, figures
from yuragi.files import write_netcdf, write_table
from yuragi.robustness.statistics import paired_differences, summarise
from yuragi.spectra import calibration
from yuragi.spectra.hierarchy import compare_hierarchy
from yuragi.spectra.power_law import fit_power_law
from yuragi.spontaneous.descriptors import Descriptors
from yuragi.spontaneous.null_comparison import compare_group, compare_with_nulls, rejection_rates
from yuragi.spontaneous.nulls.phase import Phase
from yuragi.spontaneous.nulls.static import Static
from yuragi.spontaneous.prediction import predict_held_out
from yuragi.spontaneous.predictive import AutoregressiveModel, MeanModel
from yuragi.spontaneous.ranking import rank_models
from yuragi.spontaneous.similarity import pattern_similarity
from yuragi.spontaneous.statistics import compare
from yuragi.spontaneous.var import fit_var
from yuragi.targets import BrainTarget

from .adaptivity_results import write_adaptivity, write_certificates
from .adversarial_results import Arm, write_adversarial_histories, write_single_attacks
from .corruption_results import write_corruptions
from .feature_space_results import write_feature_space
from .masking_results import write_masking
from .sampling_results import write_bare_study, write_studies
from .transfer_results import write_transfers

ARMS = {"plain": 0.0, "spectral": 0.05, "white": 0.1, "spontaneous": 0.15, "both": 0.2, "blurred": 0.02}
CONSTRAINED = ("spectral", "both")
UNITS = 60
RANKS = (5, 40)


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """All kinds of results, of several recordings, experiments and arms."""
    folder = tmp_path_factory.mktemp("results")
    generator = np.random.default_rng(0)
    spectra = [write_spectra(folder / "spectra/planted.nc", 1.0, planted=True), write_spectra(folder / "spectra/real.nc", 0.7, planted=False)]
    models, comparisons = zip(*(write_model(folder / "spontaneous", name, generator) for name in ("simulated_rest", "rest")), strict=True)
    BrainTarget.from_fits({"v1": _fit(1.0)}).write(folder / "target.nc")
    experiments = [write_experiment(folder, name, tuple(ARMS), generator) for name in ("digits_perceptron", "digits_cnn")]
    write_table(calibration_estimates(), folder / "calibration/estimates.csv")
    write_table(pure_noise(), folder / "calibration/pure_noise.csv")
    merged = {kind: [path for experiment in experiments for path in experiment[kind]] for kind in experiments[0]}
    return {
        "spectra": spectra,
        "models": list(models),
        "comparisons": list(comparisons),
        "estimates": [folder / "calibration/estimates.csv"],
        "pure_noise": [folder / "calibration/pure_noise.csv"],
        **write_hierarchy(folder / "hierarchy/brain", 3),
        **write_null_comparisons(folder / "nulls", ("subject_1", "subject_2", "subject_3")),
        "target": [folder / "target.nc"],
        **write_masking(folder, "digits_perceptron", [(arm, seed) for arm in ("plain", "white", "blurred") for seed in (0, 1, 2)], noisy=("white",)),
        **write_adaptivity(folder / "adaptivity", "digits_perceptron", (0, 1, 2)),
        **write_feature_space(folder / "feature_space/digits_perceptron"),
        **write_certificates(folder / "certificates", "digits_perceptron", [(arm, seed) for arm in ("plain", "white") for seed in (0, 1)]),
        **write_single_attacks(folder / "single_attacks", "digits_perceptron"),
        "adversarial_histories": write_adversarial_histories(folder / "networks", "digits_perceptron", {"fgsm": (None, 6, None)}),
        **write_transfers(
            folder / "transfers",
            "between",
            [(name, arm, seed) for name in ("digits_perceptron", "digits_cnn") for arm in ("plain", "white") for seed in (0, 1, 2)],
        ),
        **write_studies(folder / "sampling", ("digits", "mnist")),
        **merged,
    }


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The least that a run gives: one recording without a truth, one seed of the plain arm, one ε."""
    folder = tmp_path_factory.mktemp("bare")
    generator = np.random.default_rng(1)
    experiment = write_experiment(folder, "digits", ("plain",), generator, seeds=(0,), epsilons=(0.1,), held_out=False)
    model, comparison = write_model(folder / "spontaneous", "rest", generator)
    spectra = [write_spectra(folder / "spectra/real.nc", 0.7, planted=False)]
    write_table(calibration_estimates().head(1), folder / "calibration/estimates.csv")
    write_table(pure_noise().head(1), folder / "calibration/pure_noise.csv")
    calibration = {"estimates": [folder / "calibration/estimates.csv"], "pure_noise": [folder / "calibration/pure_noise.csv"]}
    hierarchy = write_hierarchy(folder / "hierarchy/brain", 2, bootstraps=0)
    nulls = write_null_comparisons(folder / "nulls", ("rest",))
    studies = {
        **write_masking(folder, "digits", [("plain", 0)]),
        **write_adaptivity(folder / "adaptivity", "digits", (0,), ("none", "input")),
        **write_feature_space(folder / "feature_space/digits", (0,), (1, 8, 8), [FeatureSpace(layer="hidden1", steps=2)]),
        **write_certificates(folder / "certificates", "digits", [("plain", 0)]),
        **write_single_attacks(folder / "single_attacks", "digits", [Arm("plain")], ["fgsm"], [0.1]),
        "adversarial_histories": write_adversarial_histories(folder / "networks", "digits", {"fgsm": (None,)}),
        **write_transfers(folder / "transfers", "two", [("digits", "plain", 0), ("digits", "plain", 1)], (0.1,), ("fgsm", "basic_iterative")),
        **write_bare_study(folder / "sampling", "digits"),
    }
    return {"spectra": spectra, "models": [model], "comparisons": [comparison], **calibration, **hierarchy, **nulls, **studies, **experiment}


@pytest.fixture(scope="session")
def tables(results: Results) -> dict[str, pd.DataFrame]:
    """The table of every figure."""
    return {kind: chosen().table(only(results, chosen)) for kind, chosen in figures().items()}


def only(results: Results, chosen: type[Figure]) -> Results:
    """The results that a figure asks for."""
    return {kind: results[kind] for kind in (*chosen.needs, *chosen.uses) if kind in results}


def write_spectra(path: Path, alpha: float, *, planted: bool) -> Path:
    """As `yuragi.jobs.spectra` does: an exact power law, and beside it one lifted by noise."""
    ranks = np.arange(1.0, UNITS + 1)
    exact = ranks**-alpha
    exact[-3:] = -exact[-3:]
    estimators = {"cvpca": exact, "pca": ranks**-alpha + 0.01}
    fits = {name: fit_power_law(values, RANKS) for name, values in estimators.items()}
    result = xr.Dataset(
        {
            "spectrum": (("estimator", "rank"), np.stack(list(estimators.values()))),
            **{name: ("estimator", [getattr(fit, name) for fit in fits.values()]) for name in ("alpha", "intercept", "r_squared", "negative_ranks")},
            "alpha_low": ("estimator", [alpha - 0.04, np.nan]),
            "alpha_high": ("estimator", [alpha + 0.03, np.nan]),
            "variance_ratio": 1.08,
        },
        coords={"estimator": list(estimators), "rank": np.arange(1, UNITS + 1)},
        attrs={"first_rank": RANKS[0], "last_rank": RANKS[1], "source": "made up", "repeats": 2, "stimuli": 100, "units": UNITS},
    )
    if planted:
        result.attrs |= {"truth_alpha": 1.02, "truth_noise_to_signal": 1.0}
    write_netcdf(result, path)
    return path


def _fit(alpha: float):
    return fit_power_law(np.arange(1.0, UNITS + 1) ** -alpha, RANKS)


def write_model(folder: Path, name: str, generator: np.random.Generator) -> tuple[Path, Path]:
    """As `yuragi.jobs.spontaneous` does; the simulated one tells its spectral radius."""
    truth = vector_autoregression(units=4, frames=400, order=1, spectral_radius=0.8, alpha=1.0, generator=generator)
    simulated = name.startswith("simulated")
    attrs = {"sampling_interval": 0.5, "truth_spectral_radius": 0.8} if simulated else {"sampling_interval": np.nan}
    recording = xr.DataArray(truth.recording, dims=("time", "unit"), name="recording", attrs=attrs)
    fit = fit_var(recording, order=1)
    model = fit.to_dataset()
    model.attrs |= {key: value for key, value in attrs.items() if key not in model.attrs}
    write_netcdf(model, folder / f"{name}.nc")
    write_table(compare(recording, fit, generator, simulations=3), folder / f"{name}.comparison.csv")
    return folder / f"{name}.nc", folder / f"{name}.comparison.csv"


def write_experiment(
    folder: Path,
    name: str,
    arms: tuple[str, ...],
    generator: np.random.Generator,
    *,
    seeds: tuple[int, ...] = (0, 1, 2),
    epsilons: tuple[float, ...] = (0.0, 0.1, 0.2),
    held_out: bool = True,
) -> dict[str, list[Path]]:
    """Histories, activity and tables of robustness; arms gain what `ARMS` says."""
    networks = [(arm, seed) for arm in arms for seed in seeds]
    histories = []
    for arm, seed in networks:
        epochs = np.arange(1, 6)
        history = pd.DataFrame({"epoch": epochs, "loss": 2.3 / epochs + 0.5, "penalty": 0.5, "train_accuracy": 1 - 0.5 / epochs + 0.01 * seed})
        if held_out:
            history["held_out_accuracy"] = history["train_accuracy"] - 0.1
        if arm in CONSTRAINED:
            history["hidden1_alpha"], history["hidden1_weight"] = 1 + 1 / epochs, 10.0**epochs
        histories.append(folder / f"networks/{name}/{arm}-seed{seed}.history.csv")
        write_table(history, histories[-1])
    files = {
        kind: folder / f"{where}" for kind, where in (("robustness", f"robustness/{name}.csv"), ("differences", f"robustness/{name}.differences.csv"))
    }
    evaluated = [_evaluated(arm, seed, epsilons, generator) for arm, seed in networks]
    write_table(summarise(evaluated, generator, resamples=400).assign(verdict="ok"), files["robustness"])
    if len(arms) == 1:
        write_table(pd.DataFrame(columns=["arm", "attack", "epsilon", "difference"]), files["differences"])
    else:
        budgets = [*(epsilon for epsilon in epsilons if epsilon > 0), None]
        compared = [paired_differences(evaluated, generator, epsilon=epsilon, resamples=400) for epsilon in budgets]
        write_table(pd.concat(compared, ignore_index=True), files["differences"])
    l2 = {f"{kind}_l2": folder / f"{path.parent.name}_l2" / path.name for kind, path in files.items()}
    for kind, path in files.items():
        write_table(pd.read_csv(path), l2[f"{kind}_l2"])
    return {
        "histories": histories,
        "activity": [write_activity(folder / f"activity/{name}.nc", networks)],
        "memorisation": [write_memorisation(folder / f"memorisation/{name}/{arm}-seed{seed}.csv", arm, seed) for arm, seed in networks],
        "properties": [write_properties(folder / f"properties/{name}.csv", networks)],
        "choices": [write_choice(folder / f"choices/{name}.csv", seeds)],
        **{kind: [path] for kind, path in (files | l2).items()},
        **write_corruptions(folder / "corruptions", name, networks),
    }


def _evaluated(arm: str, seed: int, epsilons: tuple[float, ...], generator: np.random.Generator) -> xr.Dataset:
    attacks = ["fgsm", "pgd", "random_noise", "worst"]
    strength = xr.DataArray([2.0, 2.5, 0.5, 2.6], dims="attack", coords={"attack": attacks})
    budget = xr.DataArray(list(epsilons), dims="epsilon", coords={"epsilon": list(epsilons)})
    images = xr.DataArray(generator.uniform(0, 0.1, 30), dims="image", coords={"image": np.arange(30)})
    correct = (0.9 - strength * budget * (1 - ARMS[arm]) + images + 0.01 * seed).clip(0, 1)
    clean = (0.9 + images + 0.01 * seed).clip(0, 1)
    correct = correct.transpose("attack", "epsilon", "image")
    return xr.Dataset({"fraction_correct": correct, "clean_fraction_correct": clean}).assign_coords(label=("image", np.zeros(30)), arm=arm, seed=seed)


def write_activity(path: Path, networks: list[tuple[str, int]]) -> Path:
    """As `yuragi.jobs.activity` does: exponents 1 (plain: 2) times the number of the layer, the second layer half as wide."""
    ranks = np.arange(1.0, UNITS + 1)
    spectra = np.full((len(networks), 2, UNITS), np.nan)
    for place, (arm, seed) in enumerate(networks):
        alpha = 2.0 if arm == "plain" else 1.0
        spectra[place, 0] = (1 + seed) * ranks**-alpha
        spectra[place, 1, : UNITS // 2] = ranks[: UNITS // 2] ** (-2 * alpha)
    result = xr.Dataset({"spectrum": (("network", "layer", "rank"), spectra)}, coords={"layer": ["hidden1", "hidden2"], "rank": ranks.astype(int)})
    arms, seeds = zip(*networks, strict=True)
    result = result.assign_coords(arm=("network", list(arms)), seed=("network", list(seeds)))
    result.attrs = {"held_out_images": 99}
    write_netcdf(result, path)
    return path


def memorised_after(arm: str, seed: int, fraction: float) -> np.ndarray:
    """The planted share after each of ten epochs: a straight rise from 0, that ends the higher the more robust the arm is."""
    return np.linspace(0, 1, 10) * (0.6 + ARMS[arm] + 0.1 * seed) / (2 - fraction)


def write_memorisation(path: Path, arm: str, seed: int) -> Path:
    """As `yuragi.jobs.memorise` does: half and all labels random, ten classes."""
    curves = []
    for fraction in (0.5, 1.0):
        share = memorised_after(arm, seed, fraction)
        curve = {"epoch": np.arange(1, 11), "train_accuracy": share, "random_label_accuracy": 0.1 + 0.9 * share, "memorised": share, "chance": 0.1}
        curves.append(pd.DataFrame(curve).assign(random_labels=fraction, true_label_accuracy=0.8 if fraction < 1 else np.nan))
    write_table(pd.concat(curves), path)
    return path


def write_properties(path: Path, networks: list[tuple[str, int]]) -> Path:
    """As `yuragi.jobs.properties` does: the plain arm has 1 plus a tenth of the seed everywhere, the others twice that."""
    rows = []
    for arm, seed in networks:
        value = (1 + 0.1 * seed) * (1 if arm == "plain" else 2)
        rows += [(arm, seed, layer, "saturation", value) for layer in ("hidden1", "hidden2", "hidden3")]
        rows += [(arm, seed, "hidden1", "weight_spectral", value), (arm, seed, None, "margin_median", value), (arm, seed, None, "gradient_l2", 0.0)]
    write_table(pd.DataFrame(rows, columns=["arm", "seed", "layer", "property", "value"]), path)
    return path


def write_choice(path: Path, seeds: tuple[int, ...]) -> Path:
    """As the choice of learning rate and epochs does: best is the second candidate after three epochs; the third diverges."""
    accuracies = {0: (0.5, 0.6, 0.7, 0.8), 1: (0.7, 0.8, 0.9, 0.85), 2: (np.nan,)}
    rows = [
        (candidate, (1e-4, 1e-3, 1e-2)[candidate], seed, epoch, value + 0.01 * seed)
        for candidate, values in accuracies.items()
        for seed in seeds
        for epoch, value in enumerate(values, start=1)
    ]
    write_table(pd.DataFrame(rows, columns=["candidate", "learning_rate", "seed", "epoch", "validation_accuracy"]), path)
    return path


def write_hierarchy(stem: Path, stages: int, *, bootstraps: int = 5) -> dict[str, list[Path]]:
    """As `yuragi.jobs.hierarchy` does: exponents 1, 1.5, 2 …"""
    planted = {
        f"stage{number}": power_law_responses(
            stimuli=80,
            units=30,
            repeats=2,
            alpha=1 + number / 2,
            noise="white",
            noise_to_signal=0.2,
            generator=np.random.default_rng(number),
        ).responses
        for number in range(stages)
    }
    found = compare_hierarchy(
        planted,
        ranks=(3, 20),
        exponents=(1.0, 1.5, 2.0),
        simulations=4,
        shuffles=1,
        bootstraps=bootstraps,
        generator=np.random.default_rng(0),
    )
    files = {kind: stem.with_name(f"{stem.name}.{kind}.csv") for kind in ("stages", "pairs")}
    write_table(found.stages, files["stages"])
    write_table(found.pairs, files["pairs"])
    return {kind: [path] for kind, path in files.items()}


def write_null_comparisons(folder: Path, names: tuple[str, ...]) -> dict[str, list[Path]]:
    """As the jobs nulls, prediction, group, ranking and rejection do; the last two only of several recordings."""
    generator = np.random.default_rng(0)
    describe, nulls = Descriptors(window=30, step=15, patterns=2), {"static": Static(), "phase": Phase()}
    models = {"mean": MeanModel(), "own_past": AutoregressiveModel(order=1, structure="diagonal")}
    compared, predicted = {}, {}
    for name in names:
        smooth = vector_autoregression(units=4, frames=200, order=1, spectral_radius=0.8, alpha=1.0, generator=generator).recording
        recording = xr.DataArray(smooth, dims=("time", "unit"), name="recording")
        compared[name] = compare_with_nulls(recording, nulls, describe, surrogates=19, generator=generator)
        predicted[name] = predict_held_out(recording, models, folds=2, components=None, generator=generator)
        write_table(compared[name], folder / f"{name}.comparison.csv")
        write_table(predicted[name], folder / f"{name}.prediction.csv")
        similarity = pattern_similarity(recording, nulls, patterns=2, surrogates=3, generator=generator)
        write_table(similarity, folder / f"{name}.similarity.csv")
    rates = rejection_rates(Static().prepare(recording), Static(), describe, simulations=2, surrogates=19, generator=generator)
    write_table(rates, folder / "rejection/static.csv")
    files = {
        "null_comparisons": [folder / f"{name}.comparison.csv" for name in names],
        "similarities": [folder / f"{name}.similarity.csv" for name in names],
        "predictions": [folder / f"{name}.prediction.csv" for name in names],
        "rejection": [folder / "rejection/static.csv"],
    }
    if len(names) > 1:
        write_table(compare_group(compared), folder / "groups/all.csv")
        write_table(rank_models(predicted), folder / "groups/all.ranking.csv")
        files |= {"null_groups": [folder / "groups/all.csv"], "rankings": [folder / "groups/all.ranking.csv"]}
    return files


def calibration_estimates() -> pd.DataFrame:
    """Two strengths of noise, one of them with intervals."""
    size = {"stimuli": 120, "units": 50, "ranks": RANKS, "simulations": 2}
    without = calibration.calibrate([0.8, 1.2], ["signal", "white"], **size)
    return pd.concat([without, calibration.calibrate([0.8, 1.2], ["signal", "white"], noise_to_signal=0.25, bootstraps=5, **size)], ignore_index=True)


def pure_noise() -> pd.DataFrame:
    return calibration.pure_noise(stimuli=60, units=20, simulations=3)
