"""Masked gradients are told from sound ones, and noise from robustness."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from yuragi.attacks import FGSM, PGD, RandomNoise
from yuragi.attacks.square import Square
from yuragi.errors import InputError
from yuragi.robustness.frozen import FrozenNoise
from yuragi.robustness.masking import default_attacks, masking_probes, verdict

EPS = 0.15


class Wrapped(torch.nn.Module):
    """A network behind a function of its logits or images."""

    def __init__(self, inner, after=lambda logits: logits, before=lambda images: images) -> None:
        super().__init__()
        self.inner, self.after, self.before = inner, after, before

    def forward(self, images):
        return self.after(self.inner(self.before(images)))


class Twin:
    """Adds to a noisy reader the method that gives its noise-free twin."""

    @staticmethod
    def of(noisy, reader):
        noisy.noise_free = lambda: reader
        return noisy


@pytest.fixture
def few(unseen):
    return unseen[0][:60], unseen[1][:60]


def attacks(draws: int = 8) -> dict:
    return {
        "random": RandomNoise(tries=5, draws=draws),
        "one_step": FGSM(draws=draws),
        "iterated": PGD(steps=10, draws=draws),
        "more_steps": PGD(steps=20, draws=draws),
        "restarts": PGD(steps=10, restarts=5, draws=draws),
        "gradient_free": Square(queries=100, draws=draws),
    }


def test_a_sound_network_is_ok(reader, few, generator):
    table = masking_probes(reader, *few, EPS, generator, attacks=attacks())
    rows = table.set_index("probe")
    assert verdict(table).startswith("ok: accuracy")
    assert rows.loc["clean", "accuracy"] > rows.loc["one_step", "accuracy"] >= rows.loc["restarts", "accuracy"]
    assert rows.loc["unbounded", "accuracy"] == 0
    assert rows.loc[rows["reference"], "difference"].eq(0).all()
    assert rows["chance"].eq(0.1).all()
    assert "frozen" not in rows.index


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda reader: Wrapped(reader, after=lambda z: 1e4 * z), "attack without"),
        (lambda reader: Wrapped(reader, before=lambda x: (x * 2).round() / 2), "an attack without gradients leaves"),
        (lambda reader: Wrapped(reader, before=lambda x: x.detach()), "an attack without bounds leaves"),
    ],
    ids=["saturated", "shattered", "cut"],
)
def test_masked_gradients_are_suspicious(build, words, reader, few, generator):
    table = masking_probes(build(reader).eval(), *few, EPS, generator, attacks=attacks())
    assert verdict(table).startswith("suspicious: ")
    assert words in verdict(table)


def test_noise_alone_is_not_called_robust(noisy, reader, few, generator):
    noisy.deviation = 0.3
    table = masking_probes(Twin.of(noisy, reader), *few, EPS, generator, attacks=attacks(draws=16))
    rows = table.set_index("probe")["accuracy"]
    found = verdict(table)
    assert found.startswith("ok: accuracy"), found
    assert f"{rows['transfer']:.3f} where the attack ignores the noise" in found
    assert rows[["iterated", "more_steps", "restarts"]].min() < 0.1  # the average over its draws breaks it
    assert rows["frozen"] <= rows["iterated"] + 0.02


def test_the_same_seed_gives_the_same_table_whatever_the_chunk(noisy, reader, few, generator):
    chosen = {"iterated": PGD(steps=3, draws=4)}
    state = generator.get_state()
    tables = []
    for chunk in (1024, 1024):
        generator.set_state(state)
        tables.append(masking_probes(Twin.of(noisy, reader), *few, EPS, generator, attacks=chosen, chunk=chunk))
    pd.testing.assert_frame_equal(*tables)


def made_up(**accuracies: float) -> pd.DataFrame:
    base = {"clean": 0.9, "random": 0.85, "one_step": 0.5, "iterated": 0.3, "more_steps": 0.3, "restarts": 0.29, "larger": 0.1, "unbounded": 0.0}
    rows = pd.DataFrame({"probe": list(base | accuracies), "accuracy": list((base | accuracies).values())})
    reference = rows.set_index("probe").loc[["iterated", "more_steps", "restarts"], "accuracy"].idxmin()
    difference = rows["accuracy"] - rows.set_index("probe").loc[reference, "accuracy"]
    return rows.assign(reference=reference, difference=difference, difference_error=0.005, images=400, chance=0.1)


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [
        ({"random": 0.2}, "random changes leave accuracy 0.200, many steps along the gradient 0.290"),
        ({"one_step": 0.2}, "one step leaves accuracy 0.200"),
        ({"gradient_free": 0.2}, "an attack without gradients leaves accuracy 0.200"),
        ({"transfer": 0.2, "frozen": 0.2}, "images made without the noise leave 0.200"),
        ({"transfer": 0.5, "frozen": 0.4}, "noise held at one value leaves 0.400"),
        ({"more_steps": 0.2}, "twice the steps take the accuracy from 0.300 to 0.200"),
        ({"restarts": 0.2}, "five restarts take the accuracy from 0.300 to 0.200"),
        ({"larger": 0.4}, "twice the budget leaves 0.400"),
        ({"unbounded": 0.2}, "an attack without bounds leaves 0.200, above the chance of 0.100"),
    ],
)
def test_every_sign_has_its_words(accuracies, words):
    assert verdict(made_up()).startswith("ok")
    assert verdict(made_up(**accuracies)).startswith("suspicious: ")
    assert words in verdict(made_up(**accuracies))


def test_small_differences_are_let_pass():
    table = made_up(one_step=0.275, gradient_free=0.28)
    assert verdict(table).startswith("ok")
    uncertain = made_up(one_step=0.2).assign(difference_error=0.06)
    assert verdict(uncertain).startswith("ok")


def test_frozen_noise_is_one_value(noisy, few):
    frozen = FrozenNoise(noisy, seed=3)
    assert torch.equal(frozen(few[0]), frozen(few[0]))
    assert not torch.equal(frozen(few[0]), FrozenNoise(noisy, seed=4)(few[0]))
    assert not frozen.stochastic


def test_what_cannot_be_probed_is_refused(reader, few, generator):
    with pytest.raises(InputError, match="eps = 0: probes need a change"):
        masking_probes(reader, *few, 0, generator)
    with pytest.raises(InputError, match="eps = 8 is outside"):
        masking_probes(reader, *few, 8, generator)
    with pytest.raises(InputError, match="the probe 'iterated' is needed"):
        masking_probes(reader, *few, EPS, generator, attacks={"one_step": FGSM()})
    with pytest.raises(InputError, match="two_step"):
        masking_probes(reader, *few, EPS, generator, attacks={"two_step": FGSM(), "iterated": PGD()})


def test_defaults_double_the_steps():
    chosen = default_attacks(steps=7, draws=3, queries=9)
    assert chosen["more_steps"].steps == 14
    assert chosen["gradient_free"].queries == 9
    assert all(attack.draws == 3 for attack in chosen.values())
    assert "gradient_free" not in default_attacks(queries=0)
    assert np.isclose(chosen["iterated"].eps, PGD().eps)
