"""A config as text: settings from a command line, and the command line of a config."""

import shlex
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from rscvae_lab.config.categories import ARRAYS
from rscvae_lab.config.schema import WIDTHS, Config, plain_type
from rscvae_lab.errors import InputError

_NOT_SET = ("recipe", "data", "objective", "encoder", "decoder")  # follow from code and images


def command_of(config: Config) -> str:
    """The command that repeats this training; one of an ensemble alone, equal up to rounding.
    Empty where no command can: of images in memory, a user's own networks, or a loss that is not
    named in `methods.py`."""
    own_code = config.encoder or config.decoder or callable(config.method.objective)
    if config.dataset == ARRAYS or own_code:
        return ""
    names = ("dataset", "category", "epochs", "scale", "mode", "seed", "device", "image_size")
    names += ("root",) * bool(config.root)
    usual = usual_config(config)
    options = [f"--{name.replace('_', '-')} {shlex.quote(str(getattr(config, name)))}"
               for name in names]
    options += [f"--set {name}={_text(value)}" for name, value in vars(config).items()
                if name not in (*names, "root", "stack", *_NOT_SET)
                and (value != getattr(usual, name) or name == "precision")]
    return " ".join(["rscvae train", *options])


def usual_config(config: Config) -> Config:
    """The config of the same images and mode, scale and length, all else as it usually is."""
    names = ("dataset", "category", "data", "root", "mode", "scale", "epochs")
    return Config(**{name: getattr(config, name) for name in names})


def parse_settings(settings: dict[str, str]) -> dict[str, Any]:
    """Fields of `Config` from text, each in its type. Raises InputError for unknown ones."""
    check_names(settings)
    types = {each.name: plain_type(each.type) for each in fields(Config)}
    return {name: _parse(name, text, types[name]) for name, text in settings.items()}


def check_names(settings: Iterable[str]) -> None:
    """Raises InputError where one of these is no setting of `Config`."""
    known = [each.name for each in fields(Config) if each.name not in _NOT_SET]
    unknown = set(settings) - set(known)
    if unknown:
        raise InputError(f"unknown setting {min(unknown, key=str)!r}: expected one of "
                         f"{', '.join(known)}")


def _text(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _parse(name: str, text: str, kind: Any) -> Any:
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if name == "widths":
            return WIDTHS.get(text) or tuple(map(int, text.replace(",", "-").split("-")))
        return kind(text)
    except (ValueError, KeyError):
        expected = {bool: "true or false", float: "a number", int: "an integer"}.get(
            kind, "four integers such as 16-32-64-128")
        raise InputError(f"{name} expects {expected}, found {text!r}") from None
