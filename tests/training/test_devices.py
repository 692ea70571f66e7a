"""Devices are named, and torch's settings are given back."""

from __future__ import annotations

import pytest
import torch

from yuragi.errors import InputError
from yuragi.training.devices import deterministic, fastest, resolve_device, seeded_generator


def test_auto_is_a_device_of_this_machine() -> None:
    assert torch.zeros(1, device=resolve_device("auto")).numel() == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [("cuda", "no NVIDIA GPU"), ("mps", "no Apple GPU"), ("cpu:1", "does not exist"), ("cuda:-1", "does not exist"), ("gpu", "does not exist")],
)
def test_a_device_that_is_not_there(name, message, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match=message):
        resolve_device(name)


def test_a_gpu_too_many(monkeypatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match=r"2 GPU\(s\)"):
        resolve_device("cuda:2")


def _settings() -> tuple[object, ...]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
        torch.get_float32_matmul_precision(),
    )


@pytest.mark.parametrize(("context", "inside"), [(deterministic, (True, False, False, "highest")), (fastest, (False, True, True, "high"))])
def test_settings_are_given_back_even_after_an_error(context, inside) -> None:
    def fail() -> None:
        with context():
            assert _settings() == inside
            raise RuntimeError("stop")

    before = _settings()
    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert _settings() == before


def test_a_seed_is_all_that_a_generator_knows() -> None:
    assert torch.equal(torch.rand(3, generator=seeded_generator(5)), torch.rand(3, generator=seeded_generator(5)))
