"""What a skip connection passes on, given encoder features e and decoder features d."""

from __future__ import annotations

from keras import layers

from marsseg.training.custom_layers import Tensor
from marsseg.training.parts import Gate, Parts


def build_gate(parts: Parts, name: str) -> Gate:
    """Make the gate that the configuration asks for.

    Both gates that add e and d need equal channels; where they differ, a 1×1 convolution fits d to e.
    In the U-Net the up-convolution has done so already, and nothing is added.

    - none: e
    - gated: a + g ⊙ e with a = e + d, g = σ(conv₁ₓ₁(a)) (after Jiang 2021)
    - attention: α ⊙ e with α = σ(ψ(ReLU(θ(e) + φ(d)))), one α a pixel (Oktay 2018)
    - sigmoid_only: g alone, as the origin report's authors ran it
    """
    gates: dict[str, Gate] = {
        "none": lambda e, d: e,  # noqa: ARG005
        "gated": lambda e, d: _sum_gate(parts, e, d, name),
        "attention": lambda e, d: _attention_gate(parts, e, d, name),
        "sigmoid_only": lambda e, d: _sigmoid_map(parts, _sum(parts, e, d, name), name),
    }
    return gates[parts.config.skip_gate]


def _sum_gate(parts: Parts, e: Tensor, d: Tensor, name: str) -> Tensor:
    total = _sum(parts, e, d, name)
    passed = layers.Multiply(name=f"{name}_pass")([_sigmoid_map(parts, total, name), e])
    return layers.Add(name=f"{name}_add")([total, passed])


def _attention_gate(parts: Parts, e: Tensor, d: Tensor, name: str) -> Tensor:
    inner = max(1, e.shape[-1] // 2)
    theta = parts.conv(inner, 1, f"{name}_theta", bias=False)(e)
    phi = parts.conv(inner, 1, f"{name}_phi")(d)
    both = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([theta, phi]))
    psi = parts.conv(1, 1, f"{name}_psi")(both)
    alpha = layers.Activation("sigmoid", name=f"{name}_alpha")(psi)  # (B, H, W, 1)
    return layers.Multiply(name=f"{name}_pass")([e, alpha])


def _sigmoid_map(parts: Parts, total: Tensor, name: str) -> Tensor:
    scores = parts.conv(total.shape[-1], 1, f"{name}_conv")(total)
    return layers.Activation("sigmoid", name=f"{name}_sigmoid")(scores)


def _sum(parts: Parts, e: Tensor, d: Tensor, name: str) -> Tensor:
    if d.shape[-1] != e.shape[-1]:
        d = parts.conv(e.shape[-1], 1, f"{name}_fit")(d)
    return layers.Add(name=f"{name}_sum")([e, d])
