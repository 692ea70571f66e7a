"""Spontaneous activity: autoregressive models of recordings and the statistics that a model must reproduce.

Names load on first use, so that importing the room is light.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "alignment": ["Alignment", "response_alignment"],
        "coactivation": ["CoactivationPatterns", "coactivation_patterns", "match_patterns"],
        "connectivity": ["sliding_window_correlation", "sliding_window_variance"],
        "hidden_states": ["HiddenMarkovFit", "fit_hidden_markov"],
        "moments": ["kurtosis", "multivariate_kurtosis"],
        "nulls": ["autoregressive_surrogate", "phase_randomize", "phase_surrogates", "spectral_covariance_surrogate", "static_surrogate"],
        "prediction": ["paired_differences", "predict_held_out"],
        "predictive": ["AutoregressiveModel", "MeanModel", "PredictiveModel", "SwitchingModel"],
        "null_comparison": ["compare_group", "compare_with_nulls", "rejection_rates"],
        "ranking": ["rank_models"],
        "similarity": ["pattern_similarity"],
        "uncertainty": ["ModelIntervals", "model_intervals"],
        "var": ["fit_var", "select_order"],
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
