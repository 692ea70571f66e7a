"""Let one network learn labels by sampling: the exact posterior, a control, or a named variant."""

from __future__ import annotations

from pydantic import Field

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.sampling.settings import BinaryImagesSettings, Chain, Learning, NetworkSettings
from yuragi.settings import Name, Settings


class Spec(Settings):
    data: BinaryImagesSettings = Field(BinaryImagesSettings(), description="which images, and when a pixel is a 1")
    network: NetworkSettings = Field(NetworkSettings(), description="the network; its drive is that of --choice where there is one")
    chain: Chain = Field(Chain(), description="how long it fluctuates, and which of its states are kept")
    learning: Learning = Field(Learning(), description="what a sweep draws: the exact posterior, unless something else is asked")
    drive_of: Name = Field("sampled", description="the arm whose drive is taken from --choice")
    seed: int = Field(0, ge=0, description="seed of everything")


def run(
    images: InputPath,
    posterior: OutputPath,
    history: OutputPath,
    predictions: OutputPath,
    *,
    spec: Spec,
    choice: InputPath | None = None,
    scratch: str = ".snakemake/yuragi",
) -> None:
    """Write the samples of the synapses, the validation accuracy by sweeps, and what the test images are taken for; then remove the checkpoint."""
    import numpy as np

    from yuragi.files import read_netcdf, read_table, write_netcdf, write_table
    from yuragi.jobs.train import checkpoint_key
    from yuragi.randomness import derive_seed
    from yuragi.sampling.classification import best_drive, learn_labels
    from yuragi.sampling.classification import predictions as predicted
    from yuragi.sampling.images import binary_images
    from yuragi.sampling.resume import Checkpoint
    from yuragi.sampling.store import write_posterior

    data = binary_images(read_netcdf(images, "images"), **spec.data.model_dump())
    network = spec.network
    if choice is not None:
        candidates = read_table(choice, ["arm", "drive", "validation_accuracy"])
        network = network.model_copy(update={"drive": best_drive(candidates, spec.drive_of)})
    generator = np.random.default_rng(derive_seed(spec.seed, "learning"))
    checkpoint = Checkpoint(scratch, checkpoint_key("sampling_learn", spec, images, choice))
    samples, accuracy = learn_labels(data, network, spec.chain, generator, learning=spec.learning, checkpoint=checkpoint)
    found = predicted(samples, data.test, spec.chain, np.random.default_rng(derive_seed(spec.seed, "prediction")))
    write_table(accuracy, history)
    write_netcdf(found, predictions)
    write_posterior(samples, posterior)
    checkpoint.remove()
