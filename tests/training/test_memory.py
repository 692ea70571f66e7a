"""Memory that does not suffice is told with the knob to turn."""

from __future__ import annotations

import pytest
import torch

from yuragi.errors import InputError
from yuragi.models.perceptron import Perceptron
from yuragi.training import memory
from yuragi.training.build import build_network
from yuragi.training.examples import Examples
from yuragi.training.memory import naming_the_knob


def test_a_real_allocation_that_fails_on_the_processor() -> None:
    with pytest.raises(InputError, match=r"out of memory with training.batch = 7: lower it") as caught, naming_the_knob("training.batch", 7):
        torch.empty(2**60, dtype=torch.uint8)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")])
def test_errors_of_a_gpu(error) -> None:
    with pytest.raises(InputError, match="chunk = 4"), naming_the_knob("chunk", 4):
        raise error


def test_a_network_that_does_not_fit_names_itself() -> None:
    with pytest.raises(InputError, match="out of memory with network = perceptron: make its layers smaller"):
        build_network(Perceptron(hidden=(2**10, 2**40)), (1, 2, 2), 10, seed=0)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes"), naming_the_knob("chunk", 4):
        raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize(("on_device", "free", "moved"), [("auto", 10_000, True), ("auto", 1_000, False), (True, 0, True), (False, 10_000, False)])
def test_images_are_held_on_the_device_where_they_leave_room(monkeypatch, on_device, free, moved) -> None:
    # 'meta' stands for a device other than the processor.
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    examples = Examples(torch.zeros(10, 1, 5, 5), torch.zeros(10, dtype=torch.int64))
    assert 500 < examples.images.nbytes + examples.labels.nbytes < 5_000
    monkeypatch.setattr("yuragi.training.examples.fits", lambda n_bytes, device: memory.fits(n_bytes, torch.device("cuda")))
    placed = examples.placed(torch.device("meta"), on_device)
    assert (placed.images.device.type == "meta") == moved
    batch = placed.batch(torch.arange(3), torch.device("meta"))
    assert batch.images.device.type == batch.labels.device.type == "meta"
    assert batch.images.shape == (3, 1, 5, 5)
