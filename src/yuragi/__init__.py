"""yuragi: power-law spectra and spontaneous activity of the brain, networks that carry both, and attacks that know the defence."""

__version__ = "0.1.0"
