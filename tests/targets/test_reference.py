"""The targets that come with the package: whole, with their provenance, and accepted by name."""

from __future__ import annotations

import pytest

from yuragi.errors import InputError
from yuragi.targets import BrainTarget, reference_names, reference_target


@pytest.mark.parametrize("name", reference_names())
def test_each_tells_where_its_numbers_come_from_on_which_terms_and_how_sure_they_are(name: str) -> None:
    target = reference_target(name)
    assert target.provenance
    for told in target.provenance.values():
        assert "licence CC BY 4.0" in told or "licence ODC-BY" in told  # nothing else may be passed on
        assert "sha256" in told
        assert "citation" in told
    for stage in target.stages.values():
        assert stage.alpha_interval[0] < stage.alpha < stage.alpha_interval[1]
    if target.spontaneous is not None:
        low, high = target.spontaneous.spectral_radius_interval
        assert low < target.spontaneous.spectral_radius < high < 1
    if target.variance_ratio is not None:
        assert target.variance_ratio_interval[0] < target.variance_ratio < target.variance_ratio_interval[1]


def test_there_are_several_and_one_serves_every_arm() -> None:
    assert {"legare2025_zebrafish", "yamada2015_v1", "yamada2015_legare2025"} <= set(reference_names())
    whole = reference_target("yamada2015_legare2025")
    assert isinstance(whole, BrainTarget)
    assert whole.stages
    assert whole.spontaneous
    assert whole.variance_ratio


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"reference target 'yamada' does not exist.*yamada2015_v1"):
        reference_target("yamada")
