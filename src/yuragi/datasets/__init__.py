"""Data sets: where each lives, its hash and licence, and how it becomes labelled arrays.

One file a data set. `load` gives the arrays; `names` lists what there is; `fetch` brings the files into the cache, and is
the only function here that uses the network; `locate` finds them there.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "base": ["Dataset", "RemoteFile"],
        "catalogue": ["dataset", "load", "names"],
        "fetching": ["fetch", "locate"],
        "quality": ["check_units"],
    },
)
