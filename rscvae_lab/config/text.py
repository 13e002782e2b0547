"""A config as text: settings from a command line, and the command line of a config."""

import shlex
from dataclasses import fields
from typing import Any

from rscvae_lab.config.schema import WIDTHS, Config
from rscvae_lab.errors import InputError


def command_of(config: Config) -> str:
    """The line that repeats this training. A model of a GPU's stack is repeated alone, which agrees to rounding."""
    always = {name: getattr(config, name) for name in ("dataset", "category", "epochs", "scale")}
    usual = Config(**always, mode=config.mode, root=config.root)
    always |= {name: getattr(config, name) for name in ("mode", "seed", "device", "image_size")}
    options = [f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in always.items()]
    options += [f"--root {shlex.quote(config.root)}"] if config.root else []
    options += [f"--set {name}={_text(value)}" for name, value in vars(config).items()
                if name not in (*always, "root", "stack", "recipe")
                and (value != getattr(usual, name) or name == "precision")]
    return " ".join(["rscvae train", *options])


def parse_settings(settings: dict[str, str]) -> dict[str, Any]:
    """Fields of `Config` from text, each by the type of its field. Raises InputError for an unknown or bad one."""
    types = {field.name: field.type for field in fields(Config) if field.name != "recipe"}
    unknown = settings.keys() - types.keys()
    if unknown:
        raise InputError(f"unknown setting {min(unknown)!r}: expected one of {', '.join(types)}")
    return {name: _parse(name, text, types[name]) for name, text in settings.items()}


def _text(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _parse(name: str, text: str, kind: Any) -> Any:
    try:
        if kind in (bool, bool | None):
            return {"true": True, "false": False}[text.lower()]
        if name == "widths":
            return WIDTHS.get(text) or tuple(int(part) for part in text.replace(",", "-").split("-"))
        return {str: str, str | None: str, float: float, float | None: float}.get(kind, int)(text)
    except (ValueError, KeyError):
        expected = {bool: "true or false", bool | None: "true or false", float: "a number",
                    float | None: "a number"}.get(kind, "an integer")
        expected = "four integers such as 16-32-64-128" if name == "widths" else expected
        raise InputError(f"{name} expects {expected}, found {text!r}") from None
