"""Put what networks learned by sampling into tables: accuracies, differences to controls, and whether chains have mixed."""

from __future__ import annotations

from pydantic import Field

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.sampling.settings import BinaryImagesSettings
from yuragi.settings import Settings


class Spec(Settings):
    data: BinaryImagesSettings = Field(BinaryImagesSettings(), description="which images, and when a pixel is a 1")
    resamples: int = Field(4000, ge=200, description="bootstrap resamples of seeds and images")
    seed: int = Field(0, ge=0, description="seed of the resamples")


def run(
    images: InputPath,
    table: OutputPath,
    claims: OutputPath,
    mixing: OutputPath,
    posteriors: list[InputPath],
    *,
    spec: Spec,
    predictions: list[InputPath] | None = None,
    twins: list[InputPath] | None = None,
) -> None:
    """Write the three tables and say whether the chains have mixed; all files are named ``<arm>-seed<seed>``."""
    import sys

    import numpy as np

    from yuragi.files import read_netcdf, write_table
    from yuragi.jobs.results import arm_and_seed, evaluated_networks
    from yuragi.randomness import derive_seed
    from yuragi.sampling.images import binary_images
    from yuragi.sampling.store import read_posterior
    from yuragi.sampling.summary import accuracies, comparisons, logistic_regression, mixing_message, mixing_table, require_arms
    from yuragi.sampling.twin import read_twin, twin_predictions

    dataset = read_netcdf(images, "images")
    data = binary_images(dataset, **spec.data.model_dump())
    found = evaluated_networks(predictions or [], "probability")
    require_arms(str(one["arm"].item()) for one in found)
    by_arm: dict[str, list] = {}
    for path in posteriors:
        by_arm.setdefault(arm_and_seed(path)[0], []).append(read_posterior(path, pixels=data.pixels, classes=data.classes))
    mixed = mixing_table(by_arm, found)
    for path in twins or []:
        arm, seed = arm_and_seed(path)
        twin = read_twin(path, data.image_shape, spec.data.threshold, data.classes)
        found.append(twin_predictions(twin, dataset, spec.data.test_images).assign_coords(arm=arm, seed=seed))
    found.append(logistic_regression(data).assign_coords(arm="logistic_regression", seed=0))
    made = [make(found, np.random.default_rng(derive_seed(spec.seed, make.__name__)), resamples=spec.resamples) for make in (accuracies, comparisons)]
    for each, path in zip((*made, mixed), (table, claims, mixing), strict=True):
        write_table(each, path)
    print(mixing_message(mixed), file=sys.stderr)
