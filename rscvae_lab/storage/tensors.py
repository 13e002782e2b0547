"""Named tensors and a note in safetensors: plain data, so that loading executes nothing."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import write_whole

_NOTE = "rscvae"  # the one metadata key: safetensors writes several in no fixed order, which would change the bytes


def save_tensors(path: Path, tensors: dict[str, Tensor], note: dict[str, Any] | None = None) -> None:
    """Writes named tensors, and a JSON note beside them, as one whole file."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {_NOTE: json.dumps(note)} if note is not None else None
    write_whole(path, save(plain, metadata))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Named tensors and their note. Raises InputError where the file is missing or is no safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            note = json.loads((file.metadata() or {}).get(_NOTE, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, note  # noqa: SIM118  (no mapping)
    except FileNotFoundError:
        raise InputError(f"expected {path}, found no such file") from None
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise InputError(f"expected safetensors in {path}, found something else or a damaged file ({error})") from None


def save_weights(path: Path, model: nn.Module) -> None:
    """`weights.safetensors`: the model's state under its own names; equal weights give equal bytes."""
    save_tensors(path, model.state_dict())


def load_weights(path: Path, model: nn.Module) -> None:
    """Copies weights into a model. Raises InputError for missing, damaged, foreign or non-finite weights."""
    tensors, _ = load_tensors(path)
    expected = model.state_dict()
    for name in expected.keys() | tensors.keys():
        want, have = (tuple(side[name].shape) if name in side else "nothing" for side in (expected, tensors))
        if want != have:
            raise InputError(f"{path} holds another model's weights: expected {want} for {name}, found {have}")
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise InputError(f"expected finite weights in {path}, found NaN or infinite values in {broken[0]}")
    model.load_state_dict(tensors)
