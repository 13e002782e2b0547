"""Named tensors and a note in safetensors: plain data, so loading them executes nothing."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import write_whole

_NOTE = "rscvae"  # the only metadata key: safetensors writes several in a random order


def save_tensors(path: Path, tensors: dict[str, Tensor], note: dict[str, Any] | None = None
                 ) -> None:
    """Writes named tensors, and a JSON note with them, as one whole file."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, save(plain, None if note is None else {_NOTE: json.dumps(note)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Named tensors and their note. Raises InputError for a missing, damaged or foreign file."""
    try:
        with safe_open(path, framework="pt") as file:
            note = json.loads((file.metadata() or {}).get(_NOTE, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, note  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"expected {path}, found no such file") from None
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise InputError(f"expected safetensors in {path}, found something else or a damaged file "
                         f"({error})") from None


def save_weights(path: Path, model: nn.Module) -> None:
    """Writes a model's state under its own names; equal weights give equal bytes."""
    save_tensors(path, model.state_dict())


def load_weights(path: Path, model: nn.Module) -> None:
    """Copies weights into a model. Raises InputError for missing, damaged, non-finite or another
    model's weights."""
    tensors, _ = load_tensors(path)
    expected = model.state_dict()
    for name in expected.keys() | tensors.keys():
        want, have = (tuple(side[name].shape) if name in side else "nothing"
                      for side in (expected, tensors))
        if want != have:
            raise InputError(f"{path} holds another model's weights: expected {want} for {name}, "
                             f"found {have}")
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise InputError(f"expected finite weights in {path}, found NaN or infinite values in "
                         f"{broken[0]}")
    model.load_state_dict(tensors)
