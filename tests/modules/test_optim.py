import pytest
import torch
from torch import nn

from animate.errors import UserError
from animate.modules.optim import freeze, frozen, grouped_adam, learns


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.head = nn.Linear(2, 1)


def test_groups_are_named_and_leave_frozen_parameters_out():
    parts = Parts()
    parts.body[0].requires_grad_(False)
    settings = {"body": {"lr": 0.1, "betas": [0.5, 0.9]}, "head": {"lr": 0.2, "betas": [0.0, 0.8]}}
    optimizer = grouped_adam({"body": parts.body, "head": parts.head}, settings)
    assert [(g["name"], g["lr"], g["betas"]) for g in optimizer.param_groups] == [
        ("body", 0.1, (0.5, 0.9)),
        ("head", 0.2, (0.0, 0.8)),
    ]
    assert optimizer.param_groups[0]["params"] == list(parts.body[1].parameters())
    parts.body[1].requires_grad_(False)
    assert [
        g["name"] for g in grouped_adam({"body": parts.body, "head": parts.head}, settings).param_groups
    ] == ["head"]


def test_the_optimiser_takes_the_steps_of_adam():
    """Kingma and Ba, "Adam" (2015), algorithm 1, written out in double precision."""
    layer = nn.Linear(3, 1, bias=False).double()
    weight = layer.weight.detach().clone()
    optimizer = grouped_adam({"layer": layer}, {"layer": {"lr": 0.01, "betas": [0.5, 0.99]}})
    first = second = torch.zeros_like(weight)
    for step in range(1, 6):
        gradient = torch.randn(1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
        layer.weight.grad = gradient.clone()
        optimizer.step()
        first, second = 0.5 * first + 0.5 * gradient, 0.99 * second + 0.01 * gradient**2
        weight -= 0.01 * (first / (1 - 0.5**step)) / ((second / (1 - 0.99**step)).sqrt() + 1e-8)
        torch.testing.assert_close(layer.weight.detach(), weight, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["body"], {"body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias"}),
        (["body.*"], {"body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias"}),
        (["*.bias"], {"body.0.bias", "body.1.bias", "head.bias"}),
        (["body.1", "head.weight"], {"body.1.weight", "body.1.bias", "head.weight"}),
        ([], set()),
    ],
)
def test_patterns_choose_parameters(patterns, expected):
    parts = Parts()
    freeze(parts, patterns)
    assert {name for name, parameter in parts.named_parameters() if not parameter.requires_grad} == expected


def test_only_parts_frozen_as_a_whole_are_put_to_rest():
    parts = Parts()
    assert freeze(parts, ["body.1"]) == ["body.1"]
    assert freeze(Parts(), ["*.bias"]) == []
    assert freeze(parts, ["body"]) == ["body", "body.0", "body.1"]


def test_a_pattern_without_effect_is_refused():
    with pytest.raises(
        UserError, match=r"'tail\.\*' matches no parameter; parts are body\.0, body\.1, head\.bias"
    ):
        freeze(Parts(), ["body", "tail.*"])
    with pytest.raises(UserError, match="nothing to learn"):
        freeze(Parts(), ["body", "head"])


def test_frozen_passes_gradients_through_and_restores():
    parts = Parts()
    parts.head.bias.requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)
    with frozen(parts.head):
        assert not learns(parts.head)
        parts.head(x).sum().backward()
    assert x.grad is not None
    assert parts.head.weight.grad is None
    assert parts.head.weight.requires_grad
    assert not parts.head.bias.requires_grad
