"""Make one figure: its table, then its drawing from the table alone."""

from __future__ import annotations

from pydantic import Field

from yuragi.figures.base import Figure
from yuragi.jobs.base import InputPath, OutputPath
from yuragi.plugins import any_of
from yuragi.settings import Settings


class Spec(Settings):
    figure: any_of("yuragi.figures", Figure) = Field(description="the figure and its options")


def run(
    table: OutputPath,
    drawing: OutputPath,
    *,
    spec: Spec,
    spectra: list[InputPath] | None = None,
    models: list[InputPath] | None = None,
    comparisons: list[InputPath] | None = None,
    estimates: list[InputPath] | None = None,
    pure_noise: list[InputPath] | None = None,
    stages: list[InputPath] | None = None,
    pairs: list[InputPath] | None = None,
    null_comparisons: list[InputPath] | None = None,
    null_groups: list[InputPath] | None = None,
    similarities: list[InputPath] | None = None,
    predictions: list[InputPath] | None = None,
    rankings: list[InputPath] | None = None,
    rejection: list[InputPath] | None = None,
    target: list[InputPath] | None = None,
    activity: list[InputPath] | None = None,
    properties: list[InputPath] | None = None,
    memorisation: list[InputPath] | None = None,
    choices: list[InputPath] | None = None,
    histories: list[InputPath] | None = None,
    robustness: list[InputPath] | None = None,
    differences: list[InputPath] | None = None,
    robustness_l2: list[InputPath] | None = None,
    differences_l2: list[InputPath] | None = None,
    masking: list[InputPath] | None = None,
    draws: list[InputPath] | None = None,
    surface: list[InputPath] | None = None,
    feature_space: list[InputPath] | None = None,
    feature_space_examples: list[InputPath] | None = None,
    adaptivity: list[InputPath] | None = None,
    adaptivity_claims: list[InputPath] | None = None,
    certificates: list[InputPath] | None = None,
    corruptions: list[InputPath] | None = None,
    corruption_differences: list[InputPath] | None = None,
    single_attacks: list[InputPath] | None = None,
    adversarial_gains: list[InputPath] | None = None,
    capacity: list[InputPath] | None = None,
    adversarial_histories: list[InputPath] | None = None,
    transfers: list[InputPath] | None = None,
    transfer_claims: list[InputPath] | None = None,
    sampling_accuracy: list[InputPath] | None = None,
    sampling_claims: list[InputPath] | None = None,
    sampling_mixing: list[InputPath] | None = None,
    sampling_histories: list[InputPath] | None = None,
    sampling_fluctuation: list[InputPath] | None = None,
    sampling_lags: list[InputPath] | None = None,
    sampling_stability: list[InputPath] | None = None,
    sampling_variability: list[InputPath] | None = None,
    sampling_spectrum: list[InputPath] | None = None,
    sampling_spontaneous: list[InputPath] | None = None,
    sampling_memory: list[InputPath] | None = None,
    sampling_examples: list[InputPath] | None = None,
    sampling_robustness: list[InputPath] | None = None,
    sampling_robustness_differences: list[InputPath] | None = None,
) -> None:
    """Write the table as CSV and the drawing as SVG, or as the drawing's suffix says."""
    import pandas as pd

    from yuragi.errors import InputError
    from yuragi.figures.style import save
    from yuragi.files import write_table

    given = {
        "spectra": spectra,
        "models": models,
        "comparisons": comparisons,
        "estimates": estimates,
        "pure_noise": pure_noise,
        "stages": stages,
        "pairs": pairs,
        "null_comparisons": null_comparisons,
        "null_groups": null_groups,
        "similarities": similarities,
        "predictions": predictions,
        "rankings": rankings,
        "rejection": rejection,
        "target": target,
        "activity": activity,
        "properties": properties,
        "memorisation": memorisation,
        "choices": choices,
        "histories": histories,
        "robustness": robustness,
        "differences": differences,
        "robustness_l2": robustness_l2,
        "differences_l2": differences_l2,
        "masking": masking,
        "draws": draws,
        "surface": surface,
        "feature_space": feature_space,
        "feature_space_examples": feature_space_examples,
        "adaptivity": adaptivity,
        "adaptivity_claims": adaptivity_claims,
        "certificates": certificates,
        "corruptions": corruptions,
        "corruption_differences": corruption_differences,
        "single_attacks": single_attacks,
        "adversarial_gains": adversarial_gains,
        "capacity": capacity,
        "adversarial_histories": adversarial_histories,
        "transfers": transfers,
        "transfer_claims": transfer_claims,
        "sampling_accuracy": sampling_accuracy,
        "sampling_claims": sampling_claims,
        "sampling_mixing": sampling_mixing,
        "sampling_histories": sampling_histories,
        "sampling_fluctuation": sampling_fluctuation,
        "sampling_lags": sampling_lags,
        "sampling_stability": sampling_stability,
        "sampling_variability": sampling_variability,
        "sampling_spectrum": sampling_spectrum,
        "sampling_spontaneous": sampling_spontaneous,
        "sampling_memory": sampling_memory,
        "sampling_examples": sampling_examples,
        "sampling_robustness": sampling_robustness,
        "sampling_robustness_differences": sampling_robustness_differences,
    }
    results = {kind: files for kind, files in given.items() if files}
    for kind in spec.figure.needs:
        if kind not in results:
            raise InputError(f"--{kind.replace('_', '-')}: the figure '{spec.figure.kind}' needs these files; give them")
    write_table(spec.figure.table(results), table)
    # Read back, so that the drawing cannot show what the table does not say.
    save(spec.figure.draw(pd.read_csv(table)), drawing)
