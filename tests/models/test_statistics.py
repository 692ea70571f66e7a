"""Passes that leave the running statistics of a network alone."""

from __future__ import annotations

import pytest
import torch

from yuragi.models._statistics import frozen_statistics


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.BatchNorm1d(4, track_running_stats=False))


def test_the_batch_normalises_and_leaves_no_trace() -> None:
    ours = network().train()
    images = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    with frozen_statistics(ours) as inside:
        answer = inside(images)
    assert all(torch.equal(value, before[name]) for name, value in ours.state_dict().items())
    torch.testing.assert_close(answer.mean(0), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(ours(images), answer)
    assert not torch.equal(ours[1].running_mean, before["1.running_mean"]), "outside, a pass is one of training again"
    assert not ours[2].track_running_stats


def test_evaluation_mode_uses_the_running_statistics() -> None:
    ours = network()
    ours(torch.randn(20, 3))
    ours.eval()
    images = torch.randn(5, 3)
    with frozen_statistics(ours):
        inside = ours(images)
    torch.testing.assert_close(inside, ours(images))


def test_an_error_leaves_the_network_as_it_was() -> None:
    ours = network()
    with pytest.raises(RuntimeError), frozen_statistics(ours):
        ours(torch.zeros(2, 5))
    assert [getattr(module, "track_running_stats", None) for module in ours] == [None, True, False]
