"""The plain VAE's two halves as ONNX, small enough for a page.

Batch normalisation, in eval mode an affine map, is folded into the convolution before it. Large
weights are rounded to 12 bits or more a number, by output channel, and stored as planes of bytes,
which compress; the graph puts them together again, w = step (256 high + low) + offset, once, as
onnxruntime folds constants. The terms then differ from float32 by less than 1e-3, relative.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from onnx import NodeProto, TensorProto, numpy_helper
from onnx.helper import (
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_tensor_value_info,
)
from torch import Tensor, nn

from rscvae_lab.errors import InputError
from rscvae_lab.models.plain import ToPixels
from rscvae_lab.models.vae import LOG_VAR_BOUND, VAE

IR_VERSION, OPSET = 8, 17
_SMALL = 4096  # weights of layers that stay float32: they weigh nothing, and much hangs on them
_BITS = {"to_mu": 16.0, "to_log_var": 12.6, "from_z": 14.0}  # by their effect on the terms


def encoder_bytes(model: VAE, extra: float = 0.0) -> bytes:
    """F as an ONNX model: `x` (N, C, S, S) in [0, 1] to `mu` and `log_var`, (N, D) each. `extra`
    bits a weight are for small networks, in which more hangs on each.

    >>> from rscvae_lab import VAE, Config
    >>> model = VAE.from_config(Config(latent=2)).eval()
    >>> b"log_var" in encoder_bytes(model), b"x_hat" in decoder_bytes(model)
    (True, True)

    Raises InputError for another network than the plain one.
    """
    graph = _Graph(extra)
    features = graph.chain(model.encoder, "x")
    graph.layer(model.to_mu, features, "mu", _BITS["to_mu"])
    raw = graph.layer(model.to_log_var, features, "raw", _BITS["to_log_var"])
    bound = graph.constant("bound", torch.tensor(LOG_VAR_BOUND))
    graph.node("Mul", [graph.node("Tanh", [graph.node("Div", [raw, bound])]), bound], "log_var")
    latent, side = model.to_mu.out_features, model.image_size
    return graph.model({"x": (model.channels, side, side)},
                       {"mu": (latent,), "log_var": (latent,)})


def decoder_bytes(model: VAE, extra: float = 0.0) -> bytes:
    """G as an ONNX model: `z` (N, D) to `x_hat` (N, C, S, S). Raises as `encoder_bytes`."""
    graph, side = _Graph(extra), model.image_size
    graph.node("Identity", [graph.chain(model.decoder, "z")], "x_hat")
    return graph.model({"z": (model.to_mu.out_features,)},
                       {"x_hat": (model.channels, side, side)})


class _Graph:
    """Nodes and initial tensors as they are added; a value is known by its name."""

    def __init__(self, extra: float) -> None:
        self._extra = extra
        self._nodes: list[NodeProto] = []
        self._tensors: list[TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: Tensor) -> str:
        name = f"{name}_{len(self._tensors)}"
        self._tensors.append(numpy_helper.from_array(value.detach().numpy(), name))
        return name

    def weight(self, w: Tensor, axis: int, bits: float | None = None) -> str:
        """A layer's weights, rounded by channel of `axis` if they are many."""
        if w.numel() <= _SMALL:
            return self.constant("w", w)
        if bits is None:  # of a convolution: the more weights, the less hangs on each
            bits = min(16.0, 15.3 - 1.2 * math.log2(w.numel() / 2**15))
        bits += self._extra
        others = [dim for dim in range(w.dim()) if dim != axis]
        step = w.abs().amax(others, keepdim=True).clamp(min=1e-30) / (2 ** (bits - 1) - 1)
        bytes_each = math.ceil(bits / 8)
        middle = 2 ** (8 * bytes_each - 1)
        levels = (w / step).round().to(torch.int32) + middle
        total = self.constant("offset", -middle * step)
        for byte in reversed(range(bytes_each)):  # the high one first, to cancel the offset
            plane = self.constant("w", (levels >> 8 * byte & 255).to(torch.uint8))
            scale = self.constant("scale", 256**byte * step)
            part = self.node("Mul", [self.node("Cast", [plane], to=TensorProto.FLOAT), scale])
            total = self.node("Add", [total, part])
        return total

    def layer(self, layer: nn.Module, x: str, output: str = "", bits: float | None = None,
              norm: nn.BatchNorm2d | None = None) -> str:
        """A linear layer or a convolution, with the batch normalisation that follows it."""
        w, b, axis = layer.weight, layer.bias, int(isinstance(layer, nn.ConvTranspose2d))
        if norm is not None:
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            w = w * gain.view([-1 if dim == axis else 1 for dim in range(w.dim())])
            b = norm.bias - norm.running_mean * gain + (0 if b is None else b * gain)
        inputs = [x, self.weight(w, axis, bits), self.constant("b", b)]
        if isinstance(layer, nn.Linear):
            return self.node("Gemm", inputs, output, transB=1)
        kind = "ConvTranspose" if axis else "Conv"
        y = self.node(kind, inputs, output, strides=layer.stride, pads=layer.padding * 2,
                      kernel_shape=layer.kernel_size)
        return self.node("Sigmoid", [y]) if isinstance(layer, ToPixels) else y

    def chain(self, layers: Iterable[nn.Module], x: str) -> str:
        layers = list(layers) if isinstance(layers, nn.Sequential) else [layers]
        for layer, after in zip(layers, [*layers[1:], None]):
            match layer:
                case nn.Linear() | nn.Conv2d() | nn.ConvTranspose2d():
                    norm = after if isinstance(after, nn.BatchNorm2d) else None
                    bits = _BITS["from_z"] if isinstance(layer, nn.Linear) else None
                    x = self.layer(layer, x, bits=bits, norm=norm)
                case nn.BatchNorm2d():
                    pass  # folded
                case nn.LeakyReLU():
                    x = self.node("LeakyRelu", [x], alpha=float(layer.negative_slope))
                case nn.Flatten():
                    x = self.node("Flatten", [x])
                case nn.Unflatten():
                    shape = torch.tensor([-1, *layer.unflattened_size])
                    x = self.node("Reshape", [x, self.constant("shape", shape)])
                case _:
                    raise InputError("expected the plain network's layers to write as ONNX, "
                                     f"found {type(layer).__name__}")
        return x

    def model(self, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]
              ) -> bytes:
        values = ([make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
                   for name, shape in each.items()] for each in (inputs, outputs))
        graph = make_graph(self._nodes, "rscvae", *values, self._tensors)
        opset = make_opsetid("", OPSET)
        return make_model(graph, ir_version=IR_VERSION, producer_name="rscvae_lab",
                          opset_imports=[opset]).SerializeToString(deterministic=True)
