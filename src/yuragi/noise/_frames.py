"""Random orthonormal directions."""

from __future__ import annotations

import numpy as np
import torch


def random_directions(width: int, n_components: int, generator: torch.Generator) -> np.ndarray:
    """Orthonormal columns, uniformly distributed: Q of a Gaussian matrix, its signs fixed by R (Mezzadri 2007, arXiv math-ph/0609050)."""
    gaussian = torch.randn((width, n_components), generator=generator, device=generator.device, dtype=torch.float64)
    q, r = np.linalg.qr(gaussian.cpu().numpy())
    return q * np.sign(np.diag(r))
