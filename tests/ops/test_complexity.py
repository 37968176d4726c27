"""How complex a picture is: formulas written out, and the order that anybody would put pictures in."""

from __future__ import annotations

import numpy as np
import torch

from animate.ops.complexity import entropy, gradient_energy

LUMA = np.array([0.299, 0.587, 0.114])[:, None, None]


def test_gradient_energy_is_the_formula():
    pictures = np.random.default_rng(0).random((2, 3, 9, 12))
    grey = (pictures * LUMA).sum(1)
    expected = np.sqrt((np.diff(grey, axis=2) ** 2).mean((1, 2)) + (np.diff(grey, axis=1) ** 2).mean((1, 2)))
    np.testing.assert_allclose(gradient_energy(torch.from_numpy(pictures)), expected, rtol=1e-9)


def test_entropy_is_the_formula():
    pictures = np.random.default_rng(1).random((2, 3, 20, 30))
    expected = []
    for grey in (pictures * LUMA).sum(1):
        share = np.histogram(grey, bins=64, range=(0, 1))[0] / grey.size
        expected.append(-sum(p * np.log2(p) for p in share if p))
    np.testing.assert_allclose(entropy(torch.from_numpy(pictures)), expected, rtol=1e-5)


def test_one_colour_has_none_and_noise_has_most():
    plain = torch.full((1, 3, 32, 32), 0.7)
    ramp = torch.linspace(0, 1, 32).expand(1, 3, 32, 32)
    noise = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for measure in (gradient_energy, entropy):
        assert measure(plain).item() == 0
    assert gradient_energy(plain) < gradient_energy(ramp) < gradient_energy(noise)
    assert torch.isclose(entropy(torch.cat([plain, ramp]))[1], torch.tensor(5.0))  # 32 levels, equally often
