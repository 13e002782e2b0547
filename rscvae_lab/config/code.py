"""What a user's own code adds to a run's identity: another loss or network is another training."""

import ast
import dis
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache, partial
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import torch

from rscvae_lab.errors import InputError

_LIBRARIES = {"builtins", "torch", "torchvision", "numpy"}  # known by their names
_UNTOLD = {*_LIBRARIES, *sys.stdlib_module_names, "rscvae_lab"}  # modules likewise
_INSTALLED = {"site-packages", "dist-packages"}  # where other libraries lie, known by their names
_PLAIN = int | float | complex | str | bytes | None  # whose repr tells all
_LOSSES = tuple(Path(__file__).parents[1] / f"{name}.py" for name in ("losses", "divergences"))
SHIPPED_LOSSES = "46c2429e519b"  # their fingerprint as of RECIPE; a test holds it


def fingerprint(*things: Any) -> str:
    """Twelve hexadecimal digits of functions and classes by their source, with the values and
    functions that they refer to, modules of the user's own likewise, and of plain values and
    arrays. Comments and docstrings do not count, what libraries hold is known by its name. Raises
    InputError for code whose source cannot be read, and for objects that look otherwise in every
    process."""
    text = "\n".join(word for thing in things for word in _words(thing, {}))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def losses_fingerprint() -> str:
    """That of `losses.py` and `divergences.py` as they are now."""
    outlines = [repr(_outline(ast.parse(path.read_text("utf-8")))) for path in _LOSSES]
    return fingerprint(*outlines)


def code_name(thing: Callable) -> str:
    """The module:name of a function, or of an object's class."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}:{named.__qualname__}"


def structure(network: torch.nn.Module) -> list[Any]:
    """What a network is but for its weights: its text and names, code and plain settings."""
    parts = [str(network), list(network.state_dict())]
    for module in network.modules():
        settings = {name: value for name, value in vars(module).items() if name != "training"}
        parts += [type(module), *(value for name, value in sorted(settings.items())
                                  if not name.startswith("_"))]
    return parts


def _of_network(network: torch.nn.Module) -> list[Any]:
    weights = [tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
               for tensor in (*network.parameters(), *network.buffers())]
    return structure(network) + weights


def _words(thing: Any, seen: dict[int, Any]) -> list[str]:
    """Text that differs where two things do. What was `seen` stays in memory, so that nothing else
    gets its address."""
    def words(parts: Iterable[Any]) -> list[str]:
        return [word for part in parts for word in _words(part, seen)]

    if isinstance(thing, str | bytes):
        return [repr(thing)]
    if isinstance(thing, set | frozenset):
        return sorted(words(thing))
    if isinstance(thing, ModuleType):
        return [thing.__name__, *words(_of_module(thing, seen))]
    if isinstance(thing, partial):
        return words((thing.func, thing.args, thing.keywords))
    if inspect.ismethod(thing):
        return words((thing.__func__, thing.__self__))
    if inspect.isclass(thing) or inspect.isroutine(thing):
        if _is_library(thing.__module__) or id(thing) in seen:
            return [code_name(thing)]
        seen[id(thing)] = thing
        parts = _of_class(thing) if inspect.isclass(thing) else _of_function(thing)
        return [code_name(thing), *words(parts)]
    if isinstance(thing, torch.nn.Module):
        return words(_of_network(thing))
    if hasattr(thing, "numpy"):
        thing = thing.detach().cpu().numpy()
    if hasattr(thing, "tobytes"):
        return [str(thing.shape), hashlib.sha256(thing.tobytes()).hexdigest()]
    text, is_own = repr(thing), not _is_library(type(thing).__module__)
    is_nested = isinstance(thing, dict | list | tuple) and not all(
        isinstance(part, _PLAIN) for part in _of_object(thing))
    if not (" at 0x" in text or is_nested or (callable(thing) and is_own)):
        return [text]
    if id(thing) in seen:
        return []
    seen[id(thing)] = thing
    heading = [f"{type(thing).__name__} of {len(thing)}"] if is_nested else []
    return heading + words(_of_object(thing))


def _is_library(module: str | None) -> bool:
    return (module or "").split(".")[0] in _LIBRARIES


def _of_object(thing: Any) -> list[Any]:
    """What makes up an object whose text says where in memory it lies, or not what it does. Raises
    InputError where nothing tells."""
    if isinstance(thing, dict):
        return [part for item in thing.items() for part in item]
    if isinstance(thing, list | tuple):
        return list(thing)
    try:
        _, arguments, *state = thing.__reduce_ex__(2)  # what a copy is made of
    except TypeError:
        raise InputError(f"expected values that look alike in every process, found {thing!r}"
                         ) from None
    return [type(thing), arguments, *state[:1], *map(list, filter(None, state[1:3]))]


def _of_module(module: ModuleType, seen: dict[int, Any]) -> list[Any]:
    """The source of a user's own module, and the modules that it imports."""
    if module.__name__.split(".")[0] in _UNTOLD or id(module) in seen:
        return []
    seen[id(module)] = module
    path = Path(getattr(module, "__file__", None) or "")
    if path.suffix != ".py":  # a folder of modules
        return [part for _, part in sorted(vars(module).items()) if isinstance(part, ModuleType)]
    if not _INSTALLED.isdisjoint(path.parts):
        return []
    tree, names = ast.parse(path.read_text("utf-8")), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            of = resolve_name("." * node.level + (node.module or ""), module.__package__)
            names.update((of, *(f"{of}.{each.name}" for each in node.names)))
    return [repr(_outline(tree)), *(sys.modules[name] for name in sorted(names)
                                    if name in sys.modules)]


def _of_function(function: Callable) -> list[Any]:
    if not hasattr(function, "__code__"):  # of lru_cache, say
        function = inspect.unwrap(function)
    try:  # of a wrapper its own, and not that of what it wraps
        source = textwrap.dedent(inspect.getsource(getattr(function, "__code__", function)))
    except (OSError, TypeError):
        raise InputError("expected code whose source can be read, from a file or a notebook, "
                         f"found {code_name(function)}") from None
    with suppress(SyntaxError):  # of a lambda inside a longer line
        source = repr(_outline(ast.parse(source)))
    values = {name: function.__globals__[name] for name in _globals_of(function.__code__)
              if name in function.__globals__}
    values |= inspect.getclosurevars(function).nonlocals
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [source, *(value for name, value in sorted(values.items()) if name != "__class__"),
            *defaults]


def _globals_of(code: CodeType) -> set[str]:
    """The global names that code and the functions inside it read."""
    names = {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}
    return names.union(*(_globals_of(inner) for inner in code.co_consts
                         if isinstance(inner, CodeType)))


def _of_class(kind: type) -> list[Any]:
    parts = []
    for base in kind.__mro__:
        if base.__module__.split(".")[0] not in _LIBRARIES:
            for name, value in vars(base).items():
                value = getattr(value, "__func__", getattr(value, "fget", value))
                plain = not name.startswith("__") and (
                    isinstance(value, _PLAIN | tuple | list | dict | set | torch.Tensor)
                    or hasattr(value, "tobytes"))
                written = inspect.isfunction(value) and (  # and not generated by a dataclass
                    inspect.unwrap(value).__code__.co_filename != "<string>")
                if written or plain:
                    parts.append(value)
    return parts


def _outline(node: Any) -> Any:
    """A syntax tree without docstrings, positions and empty fields: the same in every Python."""
    if isinstance(node, list):
        return [_outline(each) for each in node if not (
            isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
    if not isinstance(node, ast.AST):
        return node
    fields = [_outline(value) for _, value in ast.iter_fields(node) if value not in (None, [])]
    return [type(node).__name__, *fields]
