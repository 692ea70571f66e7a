"""Data sets by name."""

from __future__ import annotations

import os
from typing import Any

import lazy_loader as lazy

from yuragi.datasets.base import Dataset
from yuragi.datasets.fetching import fetch
from yuragi.plugins import discover, plugin_class
from yuragi.settings import validate

xr = lazy.load("xarray")


def names() -> list[str]:
    """The names of all data sets.

    >>> "digits" in names()
    True
    """
    return list(discover("yuragi.datasets", Dataset))


def dataset(name: str, **options: Any) -> Dataset:
    """The data set of that name with these options, not yet read.

    >>> dataset("mnist", n_train=3000).files()[0].name
    'mnist_batch_0.png'
    """
    return validate(plugin_class("yuragi.datasets", Dataset, name), options, f"data set {name}")


def load(name: str, *, cache: str | os.PathLike[str] | None = None, mirror: str | os.PathLike[str] | None = None, **options: Any) -> xr.Dataset:
    """The labelled arrays of a data set; files that are not yet in the cache are fetched.

    name
        one of `names`
    cache, mirror
        as in `yuragi.datasets.fetch`
    options
        the fields of the data set's class

    >>> images = load("digits", test_fraction=0.5)
    >>> images["images"].shape, images.attrs["classes"][3]
    ((1797, 1, 8, 8), '3')

    Raises `InputError` for a name or option that does not exist and for a file that is missing or wrong.
    """
    chosen = dataset(name, **options)
    return chosen.read(fetch(chosen, cache, mirror))
