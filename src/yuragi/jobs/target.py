"""Build a brain target from fitted spectra, a model of spontaneous activity with the uncertainty of both, and similarities of stimuli."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from yuragi.jobs.base import InputPath, OutputPath
from yuragi.jobs.spectra import EstimatorName
from yuragi.settings import Name, Settings

if TYPE_CHECKING:
    import xarray as xr

    from yuragi.spectra.power_law import PowerLawFit
    from yuragi.targets import StimulusSimilarity


class Description(Settings):
    """What a brain target is made from."""

    stages: dict[Name, Name] = Field({}, description="stages of the hierarchy: for each, the name of the responses that give its exponent")
    estimator: EstimatorName = Field("cvpca", description="whose exponent the stages take; spectra.estimators must name it")
    file: str | None = Field(None, description="a brain target that is there already, for instance written by hand; then the other keys stay empty")
    reference: Name | None = Field(None, description="a brain target that comes with yuragi, by its name; then the other keys stay empty")
    spontaneous: Name | None = Field(None, description="name of the recording that gives the model of spontaneous activity")
    bootstraps: NonNegativeInt = Field(100, description="simulations for the intervals of the spontaneous model; 0: none are computed")
    variance_ratio: Name | PositiveFloat | None = Field(
        None,
        description="variance of ongoing over stimulus-driven activity: a number, or the name of responses whose repeats measure it",
    )
    alignment: float | None = Field(
        None,
        ge=0,
        le=1,
        description="fraction of spontaneous variance along the leading directions of responses, beside that along its own; "
        "`yuragi.spontaneous.response_alignment` measures it",
    )
    similarity: Name | None = Field(
        None, description="name of responses with images, read with images: true, whose similarities a network may be asked to share"
    )
    similarity_size: PositiveInt = Field(32, description="height and width in pixels to which these images are reduced")

    @model_validator(mode="after")
    def _one_origin(self) -> Description:
        parts = (self.stages, self.spontaneous is not None, self.variance_ratio is not None, self.similarity is not None)
        for key, value in (("file", self.file), ("reference", self.reference)):
            if value is not None and any((*parts, key == "file" and self.reference is not None)):
                raise ValueError(f"{key} = '{value}': a target that is there already says everything; remove the other keys")
        if 0 < self.bootstraps < 20:
            raise ValueError(f"bootstraps = {self.bootstraps}: an interval needs 20 at least; give more, or 0 for none")
        return self


class Spec(Description):
    seed: int = Field(0, ge=0, description="seed of the simulations for intervals")


def run(
    target: OutputPath,
    *,
    spec: Spec,
    spectra: list[InputPath] | None = None,
    model: InputPath | None = None,
    responses: InputPath | None = None,
    written: InputPath | None = None,
) -> None:
    """Write the target; the files of spectra are told apart by their names. A file that is there already is checked and copied."""
    from yuragi.errors import unknown
    from yuragi.files import read_netcdf
    from yuragi.targets import BrainTarget
    from yuragi.targets.reference import reference_target

    if written is not None:
        BrainTarget.read(written).write(target)
        return
    if spec.reference is not None:
        reference_target(spec.reference).write(target)
        return
    files = {path.stem: path for path in spectra or []}
    for name in (*spec.stages.values(), *([spec.variance_ratio] if isinstance(spec.variance_ratio, str) else [])):
        if name not in files:
            raise unknown("spectrum", name, files)
    measured = {name: read_netcdf(path, "alpha") for name, path in files.items()}
    fits = {stage: _fit(measured[name], spec.estimator) for stage, name in spec.stages.items()}
    provenance = {stage: f"{spec.estimator} of {_origin(name, measured[name])}" for stage, name in spec.stages.items()}
    ratio, ratio_interval, provenance_of_ratio = _variance_ratio(spec, measured)
    autoregression, intervals, provenance_of_model = _spontaneous(spec, None if model is None else read_netcdf(model, "coefficients"), model)
    similarities, provenance_of_similarity = _similarity(spec, responses)
    BrainTarget.from_fits(
        fits,
        spontaneous=autoregression,
        variance_ratio=ratio,
        provenance=provenance | provenance_of_ratio | provenance_of_model | provenance_of_similarity,
        spontaneous_intervals=intervals,
        variance_ratio_interval=ratio_interval,
        similarity=similarities,
        alignment=spec.alignment,
    ).write(target)


def _variance_ratio(spec: Spec, measured: dict[str, xr.Dataset]) -> tuple[float | None, tuple[float, float] | None, dict[str, str]]:
    """The ratio, its interval, and where they come from."""
    from yuragi.errors import InputError

    if not isinstance(spec.variance_ratio, str):
        return spec.variance_ratio, None, {} if spec.variance_ratio is None else {"variance_ratio": "a number in the configuration"}
    dataset = measured[spec.variance_ratio]
    ratio, *ends = (float(dataset[name]) for name in ("variance_ratio", "variance_ratio_low", "variance_ratio_high"))
    if not ratio > 0:
        raise InputError(f"spectra of '{spec.variance_ratio}': the variance ratio {ratio:.3g} is not positive; give a number")
    told = f"trial-to-trial over stimulus-driven variance of {_origin(spec.variance_ratio, dataset)}"
    # Beside a signal that is barely there no interval exists; it is then NaN.
    return ratio, (ends[0], ends[1]) if ends[0] <= ends[1] else None, {"variance_ratio": told}


def _spontaneous(spec: Spec, dataset: xr.Dataset | None, path: InputPath | None):
    """The fitted autoregression, intervals of what the target takes from it, and where it comes from."""
    import numpy as np

    from yuragi.randomness import derive_seed
    from yuragi.spontaneous.uncertainty import model_intervals
    from yuragi.spontaneous.var import VARFit

    if dataset is None or path is None:
        return None, None, {}
    fit = VARFit.from_dataset(dataset)
    intervals = None
    if spec.bootstraps:
        generator = np.random.default_rng(derive_seed(spec.seed, "intervals of the spontaneous model"))
        intervals = model_intervals(fit, bootstraps=spec.bootstraps, generator=generator)
    return fit, intervals, {"spontaneous": f"vector autoregression of {_origin(path.stem, dataset)}"}


def _similarity(spec: Spec, path: InputPath | None) -> tuple[StimulusSimilarity | None, dict[str, str]]:
    """Stimuli with the similarities of the responses to them, and where they come from."""
    import numpy as np

    from yuragi.errors import InputError
    from yuragi.files import read_netcdf
    from yuragi.randomness import derive_seed
    from yuragi.spectra.similarity import representational_similarity, similarity_reliability
    from yuragi.targets import StimulusSimilarity
    from yuragi.targets.similarity import reduced_images

    if spec.similarity is None:
        return None, {}
    if path is None:
        raise InputError(f"--responses: similarity = '{spec.similarity}' asks for responses; give the file that the step 'ingest' wrote")
    dataset = read_netcdf(path, "responses")
    if "images" not in dataset:
        raise InputError(f"{path}: holds no images; read the recording '{spec.similarity}' with images: true, and one that has them")
    responses = dataset["responses"]
    # Noise is told from signal by repeats; without them units count as they are recorded.
    repeated = responses.sizes["repeat"] > 1
    weighting, over = ("reliability", "repeats") if repeated else ("none", "units")
    generator = np.random.default_rng(derive_seed(spec.seed, "reliability of the similarity"))
    reliability = similarity_reliability(responses, generator, over=over, weighting=weighting)
    told = f"{'weighted by reliability' if repeated else 'unweighted'}, reliability over halves of the {over} {reliability:.2f}"
    images = reduced_images(dataset["images"].transpose("stimulus", "channel", "height", "width").values, spec.similarity_size)
    similarity = StimulusSimilarity(images, representational_similarity(responses, weighting=weighting))
    return similarity, {"similarity": f"cosines between responses of {_origin(spec.similarity, dataset)}, {told}"}


def _origin(name: str, dataset: xr.Dataset) -> str:
    """The recording's name in the configuration, and where its file came from."""
    known = [f"{key} {dataset.attrs[key]}" for key in ("source", "licence", "citation", "sha256") if key in dataset.attrs]
    return f"'{name}' ({', '.join(known)})" if known else f"'{name}'"


def _fit(spectra: xr.Dataset, estimator: str) -> PowerLawFit:
    """The power law that the spectra job fitted to this estimator's spectrum."""
    import numpy as np

    from yuragi.errors import unknown
    from yuragi.spectra.power_law import PowerLawFit

    if estimator not in spectra["estimator"].values:
        raise unknown("estimator", estimator, map(str, spectra["estimator"].values))
    dataset = spectra.sel(estimator=estimator)
    interval = (float(dataset["alpha_low"]), float(dataset["alpha_high"]))
    negative = float(dataset["negative_ranks"])
    return PowerLawFit(
        alpha=float(dataset["alpha"]),
        alpha_interval=None if np.isnan(interval).any() else interval,
        ranks=(int(dataset.attrs["first_rank"]), int(dataset.attrs["last_rank"])),
        r_squared=float(dataset["r_squared"]),
        intercept=float(dataset["intercept"]),
        negative_ranks=0 if np.isnan(negative) else int(negative),
    )
