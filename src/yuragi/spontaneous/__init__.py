"""Spontaneous activity: autoregressive models of recordings and the statistics that a model must reproduce.

Names load on first use, so that importing the room is light.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "var": ["fit_var"],
        "var_model": ["VARFit"],
        "statistics": [
            "autocorrelation",
            "compare",
            "lag_one_autocorrelation",
            "lagged_correlation",
            "power_spectral_density",
            "spatial_spectrum",
        ],
    },
)
