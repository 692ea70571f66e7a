"""How a new data set, attack, penalty, noise, network or figure becomes one new file.

A *room* is a package such as `yuragi.attacks`. Every module in it whose name has no leading underscore may define
plug-ins: subclasses of the room's abstract base with a field ``kind: Literal["name"] = "name"``. `discover` finds them; the
configuration accepts them by that name, the contract tests run over all of them and the documentation lists them.

A plug-in is its own hyper-parameters: an immutable object that validates, prints, serialises and runs. Modules of plug-ins load heavy libraries
lazily (``torch = lazy_loader.load("torch")``), so that a configuration is checked in milliseconds.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from typing import Annotated, Any, TypeVar, Union

from pydantic import BaseModel, ConfigDict, Field

from yuragi.errors import InputError, unknown

P = TypeVar("P", bound="Plugin")


class Plugin(BaseModel):
    """Hyper-parameters that act. Immutable; unknown keys are refused; equal specifications compare and hash equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    kind: str

    @classmethod
    def title(cls) -> str:
        """The first line of the docstring: what lists and tables show."""
        return (inspect.getdoc(cls) or "").split("\n", 1)[0]


@functools.cache
def discover(room: str, base: type[P]) -> dict[str, type[P]]:
    """The plug-ins of a room by their kind.

    room
        the package's name, for instance ``"yuragi.attacks"``
    base
        the abstract class that the room's plug-ins derive from
    """
    package = importlib.import_module(room)
    found: dict[str, type[P]] = {}
    for module_info in pkgutil.iter_modules(package.__path__):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{room}.{module_info.name}")
        for value in vars(module).values():
            if (
                issubclass(type(value), type)  # isinstance would ask a lazily loaded module for its class, and so load it
                and issubclass(value, base)
                and value.__module__ == module.__name__
                and not inspect.isabstract(value)
                and isinstance(value.model_fields["kind"].default, str)
            ):
                kind = value.model_fields["kind"].default
                if kind in found:
                    raise InputError(f"{value.__module__} and {found[kind].__module__} both define kind '{kind}'; rename one")
                found[kind] = value
    return dict(sorted(found.items()))


def plugin_class(room: str, base: type[P], kind: str) -> type[P]:
    """The plug-in class of that kind; an `InputError` lists the known ones."""
    classes = discover(room, base)
    if kind not in classes:
        raise unknown(room.rsplit(".", 1)[-1].rstrip("s"), kind, classes)
    return classes[kind]


def any_of(room: str, base: type[P]) -> Any:
    """A type annotation that accepts every plug-in of a room, told apart by the key ``kind``."""
    classes = tuple(discover(room, base).values())
    if len(classes) == 1:
        return classes[0]
    return Annotated[Union[classes], Field(discriminator="kind")]  # noqa: UP007 (a union of a computed tuple)
