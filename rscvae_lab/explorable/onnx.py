"""The plain VAE's two halves as ONNX, without another package: ONNX is protobuf, and what a chain
of layers needs of it is a page long.

Batch normalisation, in eval mode an affine map, is folded into the convolution before it. Large
weights are rounded to 13 bits or more a number, by output channel, and stored as planes of bytes,
which compress; the graph puts them together again, w = step (256 high + low) + offset, once, as
onnxruntime folds constants. The terms then differ from float32 by less than 1e-3, relative.
"""

import math
import struct
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from rscvae_lab.errors import InputError
from rscvae_lab.models.plain import ToPixels
from rscvae_lab.models.vae import LOG_VAR_BOUND, VAE

IR_VERSION, OPSET = 8, 17
_FLOAT, _UINT8, _INT64 = 1, 2, 7  # TensorProto.DataType
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
        self._nodes: list[bytes] = []
        self._tensors: list[bytes] = []

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{kind.lower()}_{len(self._nodes)}"
        fields = [(1, name) for name in inputs] + [(2, output), (4, kind)]
        fields += [(5, _attribute(name, value)) for name, value in attributes.items()]
        self._nodes.append(_message(fields))
        return output

    def constant(self, name: str, value: Tensor) -> str:
        kinds = {torch.float32: _FLOAT, torch.uint8: _UINT8, torch.int64: _INT64}
        name = f"{name}_{len(self._tensors)}"
        raw = value.detach().contiguous().numpy().tobytes()
        fields = [(1, size) for size in value.shape]
        self._tensors.append(_message([*fields, (2, kinds[value.dtype]), (8, name), (9, raw)]))
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
            part = self.node("Mul", [self.node("Cast", [plane], to=_FLOAT), scale])
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
        graph = [(1, node) for node in self._nodes] + [(2, "rscvae")]
        graph += [(5, tensor) for tensor in self._tensors]
        graph += [(11, _value(*each)) for each in inputs.items()]
        graph += [(12, _value(*each)) for each in outputs.items()]
        opset = _message([(1, ""), (2, OPSET)])
        return _message([(1, IR_VERSION), (2, "rscvae_lab"), (7, _message(graph)), (8, opset)])


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    """ValueInfoProto of float32, (N, *shape)."""
    sizes = [(1, _message([(2, "N")])), *((1, _message([(1, size)])) for size in shape)]
    tensor = _message([(1, _FLOAT), (2, _message(sizes))])
    return _message([(1, name), (2, _message([(1, tensor)]))])


def _attribute(name: str, value: float | int | tuple[int, ...]) -> bytes:
    """AttributeProto of a float, an integer or integers."""
    if isinstance(value, float):
        return _message([(1, name), (2, value), (20, 1)])
    if isinstance(value, int):
        return _message([(1, name), (3, value), (20, 2)])
    return _message([(1, name), *((8, each) for each in value), (20, 7)])


def _message(fields: Iterable[tuple[int, float | int | str | bytes]]) -> bytes:
    """Protobuf's wire format: integers as varints, floats in 32 bits, the rest with its length."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [_varint(number << 3), _varint(value)]
        elif isinstance(value, float):
            parts += [_varint(number << 3 | 5), struct.pack("<f", value)]
        else:
            value = value.encode() if isinstance(value, str) else value
            parts += [_varint(number << 3 | 2), _varint(len(value)), value]
    return b"".join(parts)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
