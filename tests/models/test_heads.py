"""Heads: shapes, dropout and what is refused."""

import pytest
import torch
from torch import nn

from discern.errors import ConfigError
from discern.models.heads import HEADS, LinearHead, MlpHead, build_head, register_head


@pytest.mark.parametrize("kind", HEADS)
def test_every_head_maps_features_to_logits_and_its_state_comes_back(kind: str) -> None:
    one, other = (build_head(kind, 12, 5, hidden_features=(7,), dropout=0.3).eval() for _ in range(2))
    features = torch.randn(4, 12)
    assert one(features).shape == (4, 5)
    assert not torch.equal(one(features), other(features))
    other.load_state_dict(one.state_dict(), strict=True)
    assert torch.equal(one(features), other(features))
    one.train()(features).square().sum().backward()
    assert all(parameter.grad is not None for parameter in one.parameters())


def test_a_head_of_the_users_is_built_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HEADS, "_entries", dict(HEADS._entries))

    @register_head("scaled")
    class ScaledHead(nn.Linear):
        def __init__(self, in_features: int, num_classes: int, **_: object) -> None:
            super().__init__(in_features, num_classes)

    assert isinstance(build_head("scaled", 4, 2, hidden_features=(), dropout=0.0), ScaledHead)
    with pytest.raises(ConfigError, match="head 'scaled' is registered already"):
        register_head("scaled")(MlpHead)


def test_linear_head_is_one_linear_layer_in_eval_mode() -> None:
    head = build_head("linear", 6, 3, hidden_features=(512,), dropout=0.5).eval()
    features = torch.randn(4, 6)
    weight, bias = head.state_dict().values()
    torch.testing.assert_close(head(features), features @ weight.T + bias)


def test_mlp_head_is_linear_relu_dropout_linear() -> None:
    head = MlpHead(8, 3)
    assert [type(layer) for layer in head.layers] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [tuple(tensor.shape) for tensor in head.state_dict().values()] == [(512, 8), (512,), (3, 512), (3,)]
    assert head.layers[2].p == 0.5
    assert head(torch.randn(5, 8)).shape == (5, 3)


def test_mlp_head_takes_any_hidden_layers() -> None:
    head = build_head("mlp", 8, 2, hidden_features=(16, 4), dropout=0.1)
    shapes = [tuple(tensor.shape) for name, tensor in head.state_dict().items() if name.endswith("weight")]
    assert shapes == [(16, 8), (4, 16), (2, 4)]


@pytest.mark.parametrize("head", [LinearHead(64, 2, dropout=0.5), MlpHead(64, 2)])
def test_dropout_acts_in_training_only(head: nn.Module) -> None:
    features = torch.ones(1, 64)
    assert not torch.equal(head.train()(features), head(features))
    assert torch.equal(head.eval()(features), head(features))


@pytest.mark.parametrize(
    ("kind", "classes", "hidden", "dropout", "message"),
    [
        ("conv", 2, (512,), 0.0, "no head 'conv': there are linear, mlp"),
        ("linear", 0, (512,), 0.0, "every size must be at least 1"),
        ("mlp", 2, (0,), 0.0, r"hidden layers \(0,\) cannot be built"),
        ("mlp", 2, (4,), 1.0, "dropout is 1; expected a share from 0"),
    ],
)
def test_impossible_heads_are_refused(
    kind: str, classes: int, hidden: tuple[int, ...], dropout: float, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_head(kind, 8, classes, hidden, dropout)
