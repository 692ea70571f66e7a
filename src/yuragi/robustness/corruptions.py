"""How often a network is right on images that chance has corrupted, per image, corruption and severity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import lazy_loader as lazy

from yuragi.attacks.corruptions.base import SEVERITIES, Corruption, applicable
from yuragi.attacks.passes import check_images, device_of, fresh_seed, is_stochastic
from yuragi.attacks.scores import score
from yuragi.errors import InputError
from yuragi.models.modes import evaluation_mode
from yuragi.progress import track
from yuragi.randomness import derive_seed
from yuragi.robustness.statistics import Measure, paired_differences, summarise

np = lazy.load("numpy")
pd = lazy.load("pandas")
torch = lazy.load("torch")
xr = lazy.load("xarray")

MEAN = "mean"
"""The name of the mean over all corruptions."""

BANDS = ("low", "mid", "high")
EDGES = (1 / 6, 1 / 3)
"""Where the bands of spatial frequency meet, in cycles per pixel: thirds of the highest frequency along a row or column."""

SHARES = tuple(f"{band}_share" for band in BANDS)
SPECTRUM = (*SHARES, "centre_frequency")


def evaluate_corruptions(
    model: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    corruptions: Mapping[str, Corruption] | None,
    severities: Sequence[int],
    generator: torch.Generator,
    *,
    draws: int = 50,
    chunk: int = 1024,
) -> xr.Dataset:
    """The fraction of a network's noise draws in which each corrupted image is recognised.

    Every image is corrupted anew for every corruption and severity. The corrupted images do not depend on the network, on its device or on which
    other corruptions are asked for: networks evaluated with CPU generators of one seed see the same ones. All corruptions and severities share the
    draws of the network's noise. The further corruption ``mean`` is the mean over the others, image by image. Severity 0 gives the clean accuracy.

    model
        a network that takes pixels and returns logits; evaluated in evaluation mode and left as it was
    images, labels
        pixels in [0, 1], (image, channel, height, width), and true classes, int64, (image); moved to the network's device
    corruptions
        corruptions by names of your own, whatever their severity; None for all that images of this shape can have
    severities
        0 to 5, each once, one of them above 0
    generator
        the evaluation's seed is drawn from it; every corruption and severity derives its own
    draws
        noise draws per image, for a stochastic network; a deterministic one takes one pass
    chunk
        the most images × draws × time steps that pass through the network at once

    Returns a dataset over (corruption, severity, image): ``fraction_correct`` and ``majority_correct`` (most draws choose the label; for ``mean`` the
    fraction of corruptions in which they do); over image: ``clean_fraction_correct``, ``clean_majority_correct`` and the coordinate ``label``; over
    (corruption, severity), of the change x' - x alone and missing at severity 0: ``change`` (mean absolute change of a value, in units of the pixel
    range), ``low_share``, ``mid_share``, ``high_share`` and ``centre_frequency`` (`change_spectrum`). Attributes: ``stochastic`` (0 or 1), ``draws``.

    Errors: `InputError`, before anything is corrupted, for pixels outside [0, 1], labels that do not fit or are no classes of the network, severities
    that are none, no corruptions, and any that cannot act on such images; and for logits that are not finite.

    >>> import torch
    >>> from yuragi.attacks.corruptions import Contrast, GaussianNoise
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    >>> images, labels = torch.rand(6, 1, 8, 8), torch.ones(6).long()
    >>> chosen = {"noise": GaussianNoise(), "contrast": Contrast()}
    >>> dict(evaluate_corruptions(model, images, labels, chosen, [0, 1, 5], torch.Generator()).sizes)
    {'corruption': 3, 'severity': 3, 'image': 6}
    """
    check_images(images, labels)
    corruptions = applicable(images) if corruptions is None else corruptions
    severities = _checked(corruptions, severities)
    for corruption in corruptions.values():
        corruption.check(images)
    if draws < 1:
        raise InputError(f"draws = {draws}: it must be at least 1")
    device = device_of(model, images)
    images, labels = images.detach().cpu(), labels.to(device)
    seed = fresh_seed(generator)

    def scored(pixels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        noise = torch.Generator(device).manual_seed(derive_seed(seed, "scoring"))
        found = score(model, pixels.to(device), labels, noise, draws, chunk)
        return found.fraction_correct.cpu().numpy(), found.majority_correct.cpu().numpy()

    shape = (len(corruptions), len(severities), len(images))
    fraction, majority = np.empty(shape), np.empty(shape)
    of_change = {name: np.full(shape[:2], np.nan) for name in ("change", *SPECTRUM)}
    with evaluation_mode(model):
        clean_fraction, clean_majority = scored(images)
        for c, (name, corruption) in enumerate(track(list(corruptions.items()), "corruptions")):
            for s, severity in enumerate(severities):
                if severity == 0:
                    fraction[c, s], majority[c, s] = clean_fraction, clean_majority
                    continue
                # On the processor whatever the network runs on: the same images for all.
                own = torch.Generator().manual_seed(derive_seed(seed, "corruption", name, severity))
                corrupted = corruption.at(severity)(images, own)
                fraction[c, s], majority[c, s] = scored(corrupted)
                of_change["change"][c, s] = float((corrupted - images).abs().mean())
                for quantity, value in zip(SPECTRUM, change_spectrum(images, corrupted), strict=True):
                    of_change[quantity][c, s] = value
    dims = ("corruption", "severity", "image")
    return xr.Dataset(
        {
            "fraction_correct": (dims, _with_mean(fraction)),
            "majority_correct": (dims, _with_mean(majority)),
            "clean_fraction_correct": ("image", clean_fraction),
            "clean_majority_correct": ("image", clean_majority),
            **{name: (dims[:2], _with_mean(values)) for name, values in of_change.items()},
        },
        coords={
            "corruption": [*corruptions, MEAN],
            "severity": list(severities),
            "image": np.arange(len(images)),
            "label": ("image", labels.cpu().numpy()),
        },
        attrs={"stochastic": int(is_stochastic(model)), "draws": draws if is_stochastic(model) else 1},
    )


def change_spectrum(images: torch.Tensor, changed: torch.Tensor) -> tuple[float, float, float, float]:
    """The shares of the power of a change at low, middle and high spatial frequencies, and its mean frequency; all missing where nothing changed.

    Power P = |F(x' - x)|² of the discrete Fourier transform, summed over images and channels; frequency f = √(f_x² + f_y²) in cycles per pixel. The
    bands meet at 1/6 and 1/3; the mean frequency is Σ f P / Σ P. The mean of an image counts as frequency 0. White noise has shares of 0.09, 0.26 and
    0.65, and the mean frequency 0.38. Corruptions told apart by the frequencies that they change: Li et al. 2023, PLoS Computational Biology
    19(3):e1010932; these bands are our own.

    >>> import torch
    >>> images = torch.zeros(1, 1, 12, 12)
    >>> stripes = torch.tensor([0.0, 1.0]).repeat(6).expand(1, 1, 12, 12) - 0.5
    >>> change_spectrum(images, stripes), change_spectrum(images, images + 0.5)
    ((0.0, 0.0, 1.0, 0.5), (1.0, 0.0, 0.0, 0.0))
    """
    change = (changed - images).double()
    power = torch.fft.fft2(change).abs().square().sum((0, 1))
    rows, columns = (torch.fft.fftfreq(side, dtype=power.dtype, device=power.device) for side in power.shape)
    frequency = (rows[:, None].square() + columns.square()).sqrt()
    total = float(power.sum())
    if total == 0:
        return (float("nan"),) * 4
    low, high = frequency < EDGES[0], frequency > EDGES[1]
    shares = (float(power[chosen].sum()) / total for chosen in (low, ~low & ~high, high))
    return (*shares, float((frequency * power).sum()) / total)


def summarise_corruptions(
    per_network: Iterable[xr.Dataset],
    generator: np.random.Generator,
    *,
    measure: Measure = "fraction_correct",
    resamples: int = 4000,
    level: float = 0.95,
) -> pd.DataFrame:
    """The accuracy of every arm under every corruption and severity, with its spread over seeds and an interval over seeds and images.

    per_network
        results of `evaluate_corruptions`, each with the scalar coordinates ``arm`` and ``seed``; same corruptions, severities and images
    generator, measure, resamples, level
        as for `yuragi.robustness.statistics.summarise`

    Returns a table with the columns arm, corruption (``mean`` for the mean over all), severity (missing for the mean over all severities above 0);
    accuracy with low, high; minimum, maximum, sd over the seeds; clean_accuracy; change, low_share, mid_share, high_share, centre_frequency (cycles
    per pixel) of the corruption (see `evaluate_corruptions`), and its ``band`` (low, mid, high), that of the centre frequency; seeds, images.

    Errors: `InputError` as for `yuragi.robustness.statistics.summarise`.
    """
    results = list(per_network)
    single, pooled = (summarise(_as_attacks(results, mean), generator, measure=measure, resamples=resamples, level=level) for mean in (False, True))
    table = pd.concat([single, pooled.assign(epsilon=np.nan)], ignore_index=True).rename(columns={"attack": "corruption", "epsilon": "severity"})
    changes = _changes(results[0])
    table = table.merge(changes, on=["corruption", "severity"], how="left", validate="many_to_one")
    return table[[name for name in table if name not in ("seeds", "images")] + ["seeds", "images"]]


def corruption_differences(
    per_network: Iterable[xr.Dataset],
    generator: np.random.Generator,
    *,
    reference: str = "plain",
    measure: Measure = "fraction_correct",
    resamples: int = 4000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Every arm's accuracy minus the reference arm's on the same corrupted images, mean over severities above 0, with Holm's correction.

    The correction runs over the arms for each corruption apart: the claim to test is that on ``mean``; single corruptions tell where it comes from.

    per_network, generator, measure, resamples, level
        as for `summarise_corruptions`
    reference
        the arm that is subtracted

    Returns a table with the columns arm, corruption, difference, low, high, p, p_holm; clean_difference, clean_low, clean_high; seeds, images.

    Errors: `InputError` as for `yuragi.robustness.statistics.paired_differences`.
    """
    pooled = _as_attacks(list(per_network), mean=True)
    table = paired_differences(pooled, generator, reference=reference, epsilon=0, measure=measure, resamples=resamples, level=level)
    return table.drop(columns="epsilon").rename(columns={"attack": "corruption"})


def _checked(corruptions: Mapping[str, Corruption], severities: Sequence[int]) -> list[int]:
    if not corruptions:
        raise InputError("corruptions: none given; name at least one, for instance gaussian_noise")
    if MEAN in corruptions:
        raise InputError(f"corruptions: the name '{MEAN}' is taken by the mean over all; choose another")
    wrong = [severity for severity in severities if isinstance(severity, bool) or severity not in SEVERITIES]
    if wrong or len(set(severities)) < len(severities) or not any(severities):
        raise InputError(f"severities = {list(severities)}: give numbers from 0 to {SEVERITIES[-1]}, each once, and at least one above 0")
    return sorted(int(severity) for severity in severities)


def _with_mean(values: np.ndarray) -> np.ndarray:
    """The values of all corruptions, along the first axis, and their mean."""
    return np.concatenate([values, values.mean(0, keepdims=True)])


def _as_attacks(results: list[xr.Dataset], mean: bool) -> list[xr.Dataset]:
    """The results in the form of attacked networks: a corruption for an attack, a severity for ε; or the mean over severities as the one ε = 0."""
    names = ["fraction_correct", "majority_correct", "clean_fraction_correct", "clean_majority_correct"]
    found = []
    for result in results:
        if result["change"].shape == results[0]["change"].shape and not np.allclose(result["change"], results[0]["change"], equal_nan=True):
            raise InputError("per_network: the networks saw differently corrupted images; evaluate all with one seed")
        chosen = result[names]
        if mean:
            over_severities = chosen[names[:2]].sel(severity=chosen["severity"] > 0).mean("severity").expand_dims(severity=[0.0])
            chosen = over_severities.assign(chosen[names[2:]])
        found.append(chosen.rename(corruption="attack", severity="epsilon"))
    return found


def _changes(result: xr.Dataset) -> pd.DataFrame:
    """What corruptions change, by corruption and severity, and the mean over severities under the missing one."""
    columns = ["change", *SPECTRUM]
    single = result[columns].to_dataframe().reset_index()
    pooled = single[single["severity"] > 0].groupby("corruption", sort=False)[columns].mean().reset_index().assign(severity=np.nan)
    table = pd.concat([single, pooled], ignore_index=True)[["corruption", "severity", *columns]]
    centre = table["centre_frequency"]
    bands = np.array(BANDS, dtype=object)[np.searchsorted(EDGES, centre)]
    table["band"] = pd.Series(bands, dtype=object).where(centre.notna() & (table["corruption"] != MEAN))
    return table
