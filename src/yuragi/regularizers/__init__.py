"""Penalties on a network's hidden activity."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Asked", "Batch", "Penalty"],
        "exponents": ["ExponentPenalty"],
        "covariance": ["layer_covariances"],
        "jacobian": ["JacobianPenalty"],
        "neural_similarity": ["NeuralSimilarityPenalty"],
        "pixel_similarity": ["PixelSimilarityPenalty"],
        "spectral": ["SpectralPenalty"],
        "spectral_constraint": ["SpectralConstraint"],
    },
)
