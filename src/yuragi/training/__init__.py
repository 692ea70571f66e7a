"""Training networks, with checkpoints that survive an interruption."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "settings": ["TrainingSettings"],
        "adversarial": ["AdversarialTraining"],
        "build": ["build_network"],
        "sweep": ["choose_settings", "best"],
        "memorisation": ["memorise"],
        "standard": ["train", "remove_checkpoint"],
        "accuracy": ["accuracy"],
        "readout": ["noise_at_readout"],
        "checkpoint": ["save_network", "load_network", "read_spec"],
        "responses": ["layer_responses"],
        "spectra": ["layer_spectrum"],
        "devices": ["resolve_device"],
    },
)
