"""Tensors on disk: the bytes of the library, and nothing else is read."""

import json

import pytest
import torch
from safetensors.torch import save

from rscvae_lab.errors import InputError
from rscvae_lab.storage.tensors import load_tensors, save_tensors

KINDS = (torch.bool, torch.uint8, torch.int16, torch.bfloat16, torch.float32, torch.int64)


@pytest.mark.parametrize("note", [None, {}, {"epochs": [1, 2], "name": "größe"}])
def test_the_bytes_are_those_of_safetensors(note, tmp_path):
    tensors = {f"{i % 3}.{i}": (torch.arange(i + 3) - 1).to(kind) for i, kind in enumerate(KINDS)}
    tensors |= {"step": torch.tensor(2.5), "none": torch.empty(0, 3), "t": torch.eye(3)[:, :2].T}
    save_tensors(tmp_path / "x", tensors, note)
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    metadata = None if note is None else {"rscvae": json.dumps(note)}
    assert (tmp_path / "x").read_bytes() == save(whole, metadata)
    loaded, found = load_tensors(tmp_path / "x")
    assert all(torch.equal(loaded[name], whole[name]) for name in whole)
    assert found == (note or {})


def test_what_is_read_can_be_changed_without_changing_the_file(tmp_path):
    """Images are moved inside the memory that a cache was read into."""
    save_tensors(tmp_path / "x", {"a": torch.zeros(5)})
    load_tensors(tmp_path / "x")[0]["a"][:] = 1
    assert not load_tensors(tmp_path / "x")[0]["a"].any()


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(InputError, match="expected safetensors"):
        load_tensors(tmp_path / "x")
