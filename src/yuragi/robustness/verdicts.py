"""One line a network's evaluation can be judged by: what its guards found, and whether it had learned its task at all."""

from __future__ import annotations

from collections.abc import Iterable

import lazy_loader as lazy

pd = lazy.load("pandas")
xr = lazy.load("xarray")

LEARNED = 0.5
"""A network below this part of the reference arm's clean accuracy is said not to have learned."""


def arm_verdicts(per_network: Iterable[xr.Dataset], *, reference: str = "plain") -> pd.DataFrame:
    """What speaks against believing an arm's robust accuracy: the findings of the guards, and clean accuracy far below the reference arm's.

    per_network
        results of `yuragi.robustness.evaluate.evaluate`, each with the scalar coordinates ``arm`` and ``seed``
    reference
        the arm whose clean accuracy is the measure: a network with less than half of it did not learn its task, and its robustness means nothing

    Returns a table with the columns arm and verdict: "ok", or every finding with the seeds that it was made on.
    """
    networks = list(per_network)
    clean = [float(network["clean_fraction_correct"].mean()) for network in networks]
    expected = [value for network, value in zip(networks, clean, strict=True) if network["arm"].item() == reference]
    needed = LEARNED * sum(expected) / len(expected) if expected else 0.0
    found: dict[str, dict[str, list[str]]] = {}
    for network, accuracy in zip(networks, clean, strict=True):
        texts = {name.removeprefix("guard_"): text for name, text in network.attrs.items() if name.startswith("guard_") and text != "ok"}
        if accuracy < needed:
            texts["learning"] = f"suspicious: less than {LEARNED:.0%} of the clean accuracy of '{reference}'"
        of_arm = found.setdefault(str(network["arm"].item()), {})
        for name, text in texts.items():
            of_arm.setdefault(f"{name}, {text}", []).append(str(network["seed"].item()))
    rows = [
        (arm, "; ".join(f"{finding} (seed {', '.join(seeds)})" for finding, seeds in findings.items()) or "ok") for arm, findings in found.items()
    ]
    return pd.DataFrame(rows, columns=["arm", "verdict"])
