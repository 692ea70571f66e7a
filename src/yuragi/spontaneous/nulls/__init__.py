"""Null models: recordings that share some statistics with a measured one and are random in everything else. One file a model."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "base": ["NullModel", "PreparedNull"],
        "autoregressive": ["autoregressive_surrogate"],
        "phase": ["phase_randomize", "phase_surrogates"],
        "spectral_covariance": ["spectral_covariance_surrogate"],
        "static": ["static_surrogate"],
    },
)
