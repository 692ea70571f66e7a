"""Networks that learn by sampling: units and synapses are random bits, and learning is Gibbs sampling of both.

Names load on first use, so that importing the room is light.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "checks": ["binarise", "one_hot"],
        "convergence": ["Mixing", "mixing", "r_hat"],
        "images": ["BinaryImages", "binary_images"],
        "learning": ["Posterior", "Sampler", "sample_chains"],
        "model": ["Patterns", "SamplingSettings", "Synapses", "log_joint"],
        "settings": ["Learning"],
        "store": ["read_posterior", "write_posterior"],
        "prediction": ["Completion", "Prediction", "complete", "generate", "output_samples", "predict", "recall"],
    },
)
