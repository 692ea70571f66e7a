"""The steps that lead from single trials to two repeats in Stringer et al. (2019), each on its own.

Source: Stringer, Pachitariu, Steinmetz, Carandini, Harris (2019) High-dimensional geometry of population responses in visual cortex, Nature
571:361-365, and what the authors' public analysis does. Spontaneous activity is that without a stimulus, before a gray screen.
"""

from __future__ import annotations

import lazy_loader as lazy

from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")


def zscore_by_spontaneous(
    responses: jaxtyping.Float[np.ndarray, "trial unit"],
    spontaneous: jaxtyping.Float[np.ndarray, "time same_unit"],
    floor: float = 1e-6,
) -> jaxtyping.Float[np.ndarray, "trial unit"]:
    """Responses in units of each unit's spontaneous fluctuation.

    z_tu = (r_tu - μ_u) / (σ_u + floor), μ_u and σ_u² the mean and the variance over the T frames of spontaneous activity (divided by T).

    responses
        r, one row a trial; the spontaneous activity itself may be given too
    spontaneous
        s, frames without a stimulus, in the same units
    floor
        keeps a silent unit finite; same unit as the responses

    >>> zscore_by_spontaneous(np.array([[3.0]]), np.array([[0.0], [2.0]]), floor=0.0)
    array([[2.]])
    """
    _same_units(responses, spontaneous)
    if len(spontaneous) == 0:
        raise InputError("spontaneous: holds no frames; leave out the steps that need spontaneous activity")
    return (responses - spontaneous.mean(axis=0)) / (spontaneous.std(axis=0) + responses.dtype.type(floor))


def remove_spontaneous_subspace(
    responses: jaxtyping.Float[np.ndarray, "trial unit"],
    spontaneous: jaxtyping.Float[np.ndarray, "time same_unit"],
    components: int = 32,
) -> jaxtyping.Float[np.ndarray, "trial unit"]:
    """Responses without what lies along the leading dimensions of spontaneous activity.

    r' = r - r V V^T, the columns of V (unit x components) being the leading right singular vectors of the spontaneous activity as it is given: it is
    not centred here, since z-scored activity is centred already.

    responses
        r, one row a trial
    spontaneous
        s, frames without a stimulus, scaled as the responses
    components
        how many dimensions are taken out; 0 leaves the responses as they are

    Raises `InputError` for more components than frames or units.
    """
    _same_units(responses, spontaneous)
    most = min(spontaneous.shape)
    if not 0 <= components <= most:
        shape = " x ".join(map(str, spontaneous.shape))
        raise InputError(f"components = {components}: only {most} dimensions exist in {shape} frames x units; ask for fewer")
    if components == 0:
        return responses.copy()
    leading = _leading_right_vectors(spontaneous, components)
    return responses - (responses @ leading) @ leading.T


def subtract_mean_over_trials(responses: jaxtyping.Float[np.ndarray, "trial unit"]) -> jaxtyping.Float[np.ndarray, "trial unit"]:
    """Responses of which each unit's mean over all trials is taken: r'_tu = r_tu - mean_t r_tu.

    >>> subtract_mean_over_trials(np.array([[1.0, 5.0], [3.0, 5.0]]))
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    return responses - responses.mean(axis=0)


def repeats_by_halves(
    trials: jaxtyping.Float[np.ndarray, "trial unit"],
    identities: jaxtyping.Integer[np.ndarray, " same_trial"],
) -> tuple[jaxtyping.Float[np.ndarray, "2 stimulus unit"], jaxtyping.Integer[np.ndarray, " stimulus"]]:
    """Two repeats of each stimulus: the mean of the first half of its presentations, and that of the second half.

    The halves follow the order in time and are not interleaved. Of an odd number of presentations the one in the middle belongs to neither half; a
    stimulus that was shown only once is left out.

    trials
        one row a presentation, in the order of time
    identities
        which stimulus each presentation shows

    Returns the repeats, and the identities of the stimuli in rising order.

    >>> repeats, shown = repeats_by_halves(np.array([[1.0], [9.0], [2.0], [3.0]]), np.array([7, 4, 7, 7]))
    >>> repeats[:, 0, 0], shown
    (array([1., 3.]), array([7]))
    """
    from scipy.sparse import csr_array

    if len(trials) != len(identities):
        raise InputError(f"identities: {len(identities)} for {len(trials)} trials; give one for each trial")
    shown, place, counts = np.unique(identities, return_inverse=True, return_counts=True)
    by_stimulus = np.argsort(place, kind="stable")
    # How manieth of its stimulus each presentation is, in the order of time.
    rank = np.empty(len(trials), dtype=np.int64)
    rank[by_stimulus] = np.arange(len(trials)) - np.repeat(np.cumsum(counts) - counts, counts)
    twice = counts >= 2
    half = counts // 2
    row = np.cumsum(twice) - 1
    repeats = np.empty((2, int(twice.sum()), trials.shape[1]), dtype=trials.dtype)
    for repeat, in_half in enumerate((rank < half[place], rank >= (counts - half)[place])):
        chosen = np.flatnonzero(in_half & twice[place])
        weights = (1.0 / half[place[chosen]]).astype(trials.dtype)
        repeats[repeat] = csr_array((weights, (row[place[chosen]], chosen)), shape=(repeats.shape[1], len(trials))) @ trials
    return repeats, shown[twice]


def _same_units(responses: np.ndarray, spontaneous: np.ndarray) -> None:
    if responses.shape[1] != spontaneous.shape[1]:
        raise InputError(f"spontaneous: {spontaneous.shape[1]} units, the responses have {responses.shape[1]}; give both from one recording")


def _leading_right_vectors(values: np.ndarray, count: int) -> np.ndarray:
    """Leading right singular vectors (column, count), from the eigenvectors of the smaller of the two Gram matrices."""
    from scipy.linalg import eigh, qr

    rows, columns = values.shape
    gram = (values @ values.T if rows < columns else values.T @ values).astype(np.float64)
    powers, vectors = eigh(gram, subset_by_index=(len(gram) - count, len(gram) - 1))
    # Dimensions that the activity does not have are no directions to remove.
    vectors = vectors[:, powers > powers[-1] * len(gram) * np.finfo(values.dtype).eps]
    # Orthonormal to rounding: V V^T is then a projector, also where single precision left the vectors a little askew.
    found = values.T @ vectors[:, ::-1].astype(values.dtype) if rows < columns else vectors[:, ::-1]
    return qr(found, mode="economic")[0].astype(values.dtype)
