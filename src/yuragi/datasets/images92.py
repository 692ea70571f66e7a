"""The 92 object photographs of Kriegeskorte et al. 2008, with the dissimilarities that human and monkey brains make between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, remote_files
from yuragi.datasets.digits import held_out, stratified_split
from yuragi.datasets.formats import check_shape, missing_variable, parsing
from yuragi.errors import InputError

jaxtyping = lazy.load("jaxtyping")
np = lazy.load("numpy")
xr = lazy.load("xarray")

_FILES = remote_files(
    "https://raw.githubusercontent.com/rsagroup/rsatoolbox/f1f83cadb7243492a1aae7460466e0f0140b20ac/demos/92imageData",
    """
    Kriegeskorte_Neuron2008_supplementalData.mat 3603779 06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504
    92_brainRDMs.mat 224663 1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c
    92_modelRDMs.mat 333004 e1d2b58bb2f9508bc13da4c81b94d1ab07823b25ed30b9563bd9d6d730c2a00a
    """,
)
STIMULI, BRAIN, MODELS = (file.name for file in _FILES)

CLASSES = {
    "human bodypart": 12, "human face": 12, "nonhuman bodypart": 12, "nonhuman face": 12, "natural inanimate": 23, "artificial inanimate": 21,
}  # fmt: skip
"""Images in each class, in the order of the file."""
IMAGES = 92


class Images92(Dataset):
    """92 object photographs, 175 x 175 pixels on grey, in six classes, with dissimilarity matrices of human IT, monkey IT and models.

    An image set, for networks: few images to train on, and many brains to compare a network's layers with. Beside the images stands
    ``dissimilarity`` (matrix, image, other_image), 1 minus the correlation for the brains: human IT of four subjects in two sessions (their mean
    is the matrix of the paper's figure 1), monkey IT (674 neurons), and seven models. ``matrix`` names them and ``measured`` (matrix) tells
    brains from models. There are no responses of single units or voxels and so no covariance spectrum: these data cannot give an exponent.

    The source has no training and test part: ``test_fraction`` of each class is held out by chance, the same for the same seed.
    """

    kind: Literal["images92"] = "images92"
    test_fraction: float = Field(0.25, gt=0, lt=1, description="part of each class that is kept for testing")
    seed: int = Field(0, ge=0, description="seed of the split")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "images"
    licence: ClassVar = "MIT (carrier repository rsatoolbox)"
    citation: ClassVar = (
        "Kriegeskorte et al. (2008) Matching categorical object representations in inferior temporal cortex of man and monkey, Neuron 60:1126-1141"
    )
    home: ClassVar = "https://github.com/rsagroup/rsatoolbox"

    def sizes(self) -> dict[str, int]:
        test = sum(held_out(self.test_fraction, images) for images in CLASSES.values())
        return {"train": IMAGES - test, "test": test}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        pixels, categories = _stimuli(paths[STIMULI])
        classes = list(CLASSES)
        labels = np.array([classes.index(category) for category in categories])
        data = labelled.image_set(
            pixels.transpose(0, 3, 1, 2),
            labels,
            stratified_split(labels, self.test_fraction, np.random.default_rng(self.seed)),
            maximum=255,
            classes=classes,
            attributes=self.provenance(),
        )
        names, matrices = _matrices(paths[BRAIN], "RDMs", (4, 2))
        model_names, model_matrices = _matrices(paths[MODELS], "Models", (8,))
        data["dissimilarity"] = (("matrix", "image", "other_image"), np.concatenate([matrices, model_matrices]))
        measured = [True] * len(names) + [name == "monkeyIT" for name in model_names]
        return data.assign_coords(matrix=names + model_names, measured=("matrix", measured))


def _stimuli(path: Path) -> tuple[jaxtyping.UInt8[np.ndarray, "image height width channel"], list[str]]:
    """The photographs and the class of each."""
    rows = _structures(path, "stimuli_92objs", ("image", "category"), (IMAGES,))
    images = [row["image"] for row in rows]
    for number, image in enumerate(images):
        check_shape(path, f"image {number + 1}", image.shape, (175, 175, 3))
        if image.dtype != np.uint8:
            raise InputError(f"{path}: image {number + 1} is {image.dtype}, expected uint8; this is not the file that the data set names")
    categories = [str(row["category"].item()) for row in rows]
    if {name: categories.count(name) for name in CLASSES} != CLASSES:
        raise InputError(f"{path}: its classes are {', '.join(sorted(set(categories)))}; this is not the file that the data set names")
    return np.stack(images), categories


def _matrices(path: Path, variable: str, shape: tuple[int, ...]) -> tuple[list[str], jaxtyping.Float64[np.ndarray, "matrix image image"]]:
    """The names and the dissimilarity matrices of a structure array, the last index of the array fastest."""
    rows = _structures(path, variable, ("RDM", "name"), shape)
    for row in rows:
        check_shape(path, "RDM", row["RDM"].shape, (IMAGES, IMAGES))
    return [str(row["name"].item()) for row in rows], np.stack([row["RDM"].astype(np.float64) for row in rows])


def _structures(path: Path, variable: str, fields: tuple[str, ...], shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """The fields of each element of a MATLAB structure array, which MATLAB keeps with a leading axis of length 1."""
    from scipy.io import loadmat, whosmat

    with parsing(path, "a MATLAB file"):
        there = [name for name, _, _ in whosmat(path)]
        if variable not in there:
            raise missing_variable(path, variable, there)
        found = loadmat(path, variable_names=[variable])[variable]
        check_shape(path, variable, found.shape, (1, *shape))
        for field in fields:
            if field not in (found.dtype.names or ()):
                raise missing_variable(path, f"{variable}.{field}", list(found.dtype.names or ()))
        return [{field: element[field] for field in fields} for element in found.ravel()]
