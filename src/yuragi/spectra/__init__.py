"""Covariance spectra of responses and their power laws.

Names load on first use, so that importing the room is light.
"""

import lazy_loader as lazy

# `cvpca` is both a function and the module that it lives in. Bound here, the name is the function whichever is imported first; the module loads numpy
# and xarray on first use.
from yuragi.spectra.cvpca import cvpca

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "bootstrap": ["alpha_interval", "bootstrap_exponent"],
        "calibration": ["calibrate", "pure_noise"],
        "cross_spectrum": ["cross_decomposition"],
        "dimensionality": ["participation_ratio"],
        "estimators": ["Estimate", "estimate"],
        "hierarchy": ["compare_hierarchy"],
        "eigenmoments": ["EigenmomentFit", "meme"],
        "pca": ["pca_spectrum"],
        "power_law": ["PowerLawFit", "fit_power_law"],
        "repeats": ["split_repeats"],
        "shared_variance": ["svca"],
        "similarity": ["representational_similarity", "similarity_reliability"],
        "variance": ["noise_variance", "signal_variance", "variance_ratio"],
        "variance_interval": ["variance_ratio_interval"],
    },
)
__all__ += ["cvpca"]
