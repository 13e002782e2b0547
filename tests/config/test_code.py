"""The fingerprint of a user's code: another result, another fingerprint; and nothing else."""

import importlib.util
import sys
import textwrap
from dataclasses import dataclass
from functools import cache, partial, wraps

import numpy as np
import pytest
import torch

from rscvae_lab import losses
from rscvae_lab.config import ARRAYS, Config
from rscvae_lab.config.code import SHIPPED_LOSSES, fingerprint, losses_fingerprint
from rscvae_lab.config.text import command_of, parse_settings
from rscvae_lab.datasets import load_split
from rscvae_lab.errors import InputError
from rscvae_lab.methods import METHODS, Method
from rscvae_lab.trainers import train

SOURCE = """
    import torch
    SCALE = 2.0
    UNUSED = 3.0

    def helper(x):
        return x.abs()

    def loss(x, y):
        def inner(z):
            return SCALE * helper(z)
        return inner(x).sum()

    class Network(torch.nn.Module):
        slope = 0.1

        def forward(self, x):
            return helper(x) * self.slope
"""


@pytest.fixture
def of_source(tmp_path):
    """The fingerprints of `loss` and of `Network` in a module of this text."""
    count = iter(range(100))

    def prints(*changes: str) -> tuple[str, str]:
        source = textwrap.dedent(SOURCE)
        for old, new in zip(changes[::2], changes[1::2]):
            assert old in source
            source = source.replace(old, new)
        path = tmp_path / f"written{next(count)}.py"
        path.write_text(source, "utf-8")
        spec = importlib.util.spec_from_file_location("users_code", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return fingerprint(module.loss), fingerprint(module.Network)

    return prints


@pytest.mark.parametrize(
    ("changes", "moves_loss", "moves_network"),
    [
        (("SCALE = 2.0", "SCALE = 2.5"), True, False),
        (("x.abs()", "x.square()"), True, True),
        (("inner(x).sum()", "inner(x).mean()"), True, False),
        (("slope = 0.1", "slope = 0.2"), False, True),
        (("* self.slope", "+ self.slope"), False, True),
        (("UNUSED = 3.0", "UNUSED = 4.0"), False, False),
        (("return x.abs()", '"""Size."""\n    # as is\n    return x.abs()  # x'), False, False),
    ],
)
def test_what_changes_the_result_changes_the_fingerprint(
    changes, moves_loss, moves_network, of_source
):
    before, after = of_source(), of_source(*changes)
    assert (before[0] != after[0], before[1] != after[1]) == (moves_loss, moves_network)


def test_values_that_a_function_closes_over_count():
    def weighted(weight):
        return lambda x: weight * x

    values = (1.0, 2.0, torch.ones(2), torch.zeros(2))
    assert len({fingerprint(weighted(value)) for value in values}) == 4
    assert fingerprint(weighted(1.0)) == fingerprint(weighted(1.0))


def test_of_a_wrapped_function_the_wrapper_counts_and_its_defaults():
    def plain(x):
        return x

    def times(factor):
        @wraps(plain)
        def wrapper(x, offset=factor):
            return factor * plain(x) + offset
        return wrapper

    def shifted(offset):
        def wrapper(x, by=offset, *, again=None):
            return x + by
        wrapper.__kwdefaults__ = {"again": offset}
        return wrapper

    for make in (times, shifted):
        assert fingerprint(make(1.0)) == fingerprint(make(1.0)) != fingerprint(make(2.0))
    assert fingerprint(times(1.0)) != fingerprint(plain)
    assert fingerprint(cache(plain)) == fingerprint(cache(plain))


def test_what_lists_and_classes_hold_counts_to_the_last_digit():
    def holding(value):
        class Holder:
            held = value

        return Holder

    for form in (lambda value: [[value]], lambda value: {"a": [value]}, holding):
        near = [fingerprint(form(torch.tensor([0.10001 + i]))) for i in (0, 1e-6, 0)]
        assert near[0] == near[2] != near[1]
    assert fingerprint(holding([1])) != fingerprint(holding([2]))
    assert fingerprint([1, [2]]) != fingerprint([[1], 2])


def test_what_a_partial_function_or_an_object_holds_counts():
    """And where in memory it lies does not: it differs from process to process."""
    def weighted(x, weight):
        return weight * x

    class Weighted:
        def __init__(self, weight):
            self.weight = weight

        def __call__(self, x):
            return self.weight * x

    class Slotted:
        __slots__ = ("weight",)

        def __init__(self, weight):
            self.weight = weight

    @dataclass
    class Told(Weighted):
        weight: float

    class Network(torch.nn.Module):
        def __init__(self, weight):
            super().__init__()
            self.weight = weight

    for make in (lambda weight: partial(weighted, weight=weight), Weighted, Slotted, Told,
                 Network, lambda weight: [Weighted(weight)],
                 lambda weight: {"loss": Weighted(weight)},
                 lambda weight: Weighted(weight).__call__,
                 lambda weight: np.random.default_rng(int(weight)),
                 lambda weight: {str(weight), "a"}):
        prints = [fingerprint(make(weight)) for weight in (1.0, 1.0, 2.0)]
        assert prints[0] == prints[1] != prints[2]
    assert fingerprint("text at 0x7f") == fingerprint("text at 0x7f")
    with pytest.raises(InputError, match="that look alike in every process, found <generator"):
        fingerprint(weight for weight in "12")


@pytest.mark.parametrize("form", ["import own_units", "from own_units import UNIT"])
def test_a_module_of_ones_own_counts_and_what_it_imports(form, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    prints = []
    for scale, unit in ((0.5, 1), (0.5, 1), (0.25, 1), (0.5, 2)):
        (tmp_path / "own_units.py").write_text(f"UNIT = {unit}\n", "utf-8")
        (tmp_path / "own_helpers.py").write_text(
            f"import math\n{form}\ndef half(x):\n    return {scale} * x\n", "utf-8")
        for name in ("own_units", "own_helpers"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        own_helpers = importlib.import_module("own_helpers")
        prints.append(fingerprint(lambda x, of=None: own_helpers.half(x)))  # noqa: B023
    assert prints[0] == prints[1] and len(set(prints)) == 3


def test_code_that_cannot_be_read_is_refused():
    namespace = {}
    exec("def made(x):\n    return x", namespace)
    with pytest.raises(InputError, match="whose source can be read"):
        fingerprint(namespace["made"])


def test_the_losses_are_those_of_the_recipe():
    """Red after an edit: raise RECIPE if existing modes change, and write the new fingerprint."""
    assert losses_fingerprint() == SHIPPED_LOSSES
    assert Config().objective == ""


def own_loss(x, coding, terms, y, weights):
    return terms.recon


def test_an_own_loss_has_a_mode_and_an_identity(monkeypatch):
    monkeypatch.setitem(METHODS, "own", Method("own", "black", objective=own_loss))
    one = Config(mode="own")
    assert one.objective == fingerprint(own_loss)
    assert Config.from_json(one.to_json()) == one
    named = Method("own", "black", objective=f"{__name__}:own_loss")
    monkeypatch.setitem(METHODS, "own", named)
    assert Config(mode="own") == one
    other = Method("own", "black", objective=lambda *given: given[2].enc1)
    monkeypatch.setitem(METHODS, "own", other)
    assert Config(mode="own").config_hash != one.config_hash
    assert Config.from_json(one.to_json()) == one, "what was trained stays what it was"


@pytest.mark.slow
def test_a_run_is_never_trained_by_another_loss_than_its_own(monkeypatch, tmp_path):
    monkeypatch.setitem(METHODS, "own", Method("own", "black", objective=own_loss))
    config = Config(mode="own", epochs=1)
    other = Method("own", "black", objective=lambda *given: given[2].enc1)
    monkeypatch.setitem(METHODS, "own", other)
    with pytest.raises(InputError, match="a new Config takes today's"):
        train(config, tmp_path, progress=False)
    monkeypatch.setitem(
        METHODS, "own", Method("own", "black", objective=lambda *given: given[2].enc1.mean())
    )
    with pytest.raises(InputError, match=r"a loss for each image, shape \(32,\), found \(\)"):
        train(Config(mode="own", epochs=1), tmp_path, progress=False)
    monkeypatch.setitem(METHODS, "own", Method("own", "black", objective=own_loss))
    run = train(Config(mode="own", epochs=1), tmp_path, progress=False)
    assert run.folder == tmp_path, "the loss that was refused left it free"


def test_losses_that_were_replaced_from_outside_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(losses, "mut", lambda *given: 0.0)
    with pytest.raises(InputError, match=r"the package's own mut, found .*CONTRIBUTING"):
        train(Config(epochs=1), tmp_path, progress=False)
    monkeypatch.undo()
    monkeypatch.setitem(losses.DIVERGENCES, "jeffreys", own_loss)
    with pytest.raises(InputError, match="own jeffreys"):
        train(Config(epochs=1), tmp_path, progress=False)
    monkeypatch.undo()
    monkeypatch.setitem(losses.DIVERGENCES, "bhattacharyya", losses.DIVERGENCES["jeffreys"])
    with pytest.raises(InputError, match=r"own bhattacharyya, found .*:jeffreys"):
        train(Config(epochs=1), tmp_path, progress=False)
    monkeypatch.undo()
    monkeypatch.setattr(losses, "mut", partial(losses.mut))
    with pytest.raises(InputError, match="own mut, found functools:partial"):
        train(Config(epochs=1), tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_arrays_need_a_fingerprint_and_have_no_command():
    with pytest.raises(InputError, match=r"expects images in memory, found none.*Detector"):
        Config(dataset=ARRAYS, category="eights")
    with pytest.raises(InputError, match="goes with data sets arrays, mvtec_ad"):
        Config(data="0123456789ab")
    config = Config(dataset=ARRAYS, category="Eights, mine", data="0123456789ab", channels=3)
    assert (config.category, config.channels) == ("Eights, mine", 3)
    assert command_of(config) == ""
    with pytest.raises(InputError, match=r"expected data set arrays, .* found digits"):
        train(Config(), "unused", split=load_split(Config()))
    for name in ("data", "objective", "encoder", "decoder"):
        with pytest.raises(InputError, match=f"unknown setting '{name}'"):
            parse_settings({name: "x"})
