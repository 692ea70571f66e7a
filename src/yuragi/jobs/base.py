"""What a job is: one module with a specification and a function ``run`` that reads files, calls the library and writes files.

The signature of ``run`` is the command line: parameters annotated `InputPath` and `OutputPath` become arguments (lists take several files,
those with a default become options), and the fields of the module's ``Spec`` become options too, on top of ``--spec JSON``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin

from yuragi.errors import unknown
from yuragi.provenance import code_digest
from yuragi.settings import Settings

InputPath = Annotated[Path, "input"]
OutputPath = Annotated[Path, "output"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a job's ``run``."""

    name: str
    role: str  # "input", "output" or "setting"
    several: bool
    default: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True)
class Job:
    """A job, known by the name of its module in `yuragi.jobs`."""

    name: str

    @property
    def module_name(self) -> str:
        return f"yuragi.jobs.{self.name}"

    @cached_property
    def module(self) -> ModuleType:
        return importlib.import_module(self.module_name)

    @property
    def title(self) -> str:
        """The first line of what the job does."""
        return (self.module.__doc__ or "").strip().split("\n", 1)[0]

    @property
    def spec_class(self) -> type[Settings] | None:
        """The job's ``Spec``, or None for a job without settings."""
        return getattr(self.module, "Spec", None)

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of ``run`` without the specification, in order."""
        hints = typing.get_type_hints(self.module.run, include_extras=True)
        for parameter in inspect.signature(self.module.run).parameters.values():
            if parameter.name == "spec":
                continue
            role, several = _role(hints[parameter.name])
            yield Parameter(parameter.name, role, several, parameter.default)

    def digest(self, spec: Settings | None = None) -> str:
        """The digest of the code that this job runs for this specification."""
        return code_digest(self.module_name, spec)


def _role(hint: Any) -> tuple[str, bool]:
    if get_origin(hint) is Annotated:
        return next((str(extra) for extra in get_args(hint)[1:] if extra in ("input", "output")), "setting"), False
    for argument in get_args(hint):
        role, several = _role(argument)
        if role != "setting":
            return role, several or get_origin(hint) is list
    return "setting", False


def names() -> list[str]:
    """The names of all jobs, found without importing them."""
    package = importlib.import_module("yuragi.jobs")
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.name not in ("base", "results") and info.name[0] != "_")


def job(name: str) -> Job:
    """The job of that name; an `InputError` lists the known ones."""
    if name not in names():
        raise unknown("command", name, names())
    return Job(name)
