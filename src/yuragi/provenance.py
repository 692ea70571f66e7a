"""What a result depends on: a digest of the code that computes it.

Snakemake sees a changed command line or parameter, but not a changed formula in an imported module. So every rule carries the digest of the
syntax trees that its job can reach: comments, docstrings, spacing and line numbers do not count, a changed formula does, and code that the job does
not import leaves it alone.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGE = "yuragi"


def code_digest(module: str, *plugins: object) -> str:
    """A digest of a module, of every module of the package that it imports, and of the modules that define ``plugins``.

    module
        full name of the module that does the work, for instance ``"yuragi.jobs.spectra"``
    plugins
        objects such as specifications; the classes of every plug-in found inside them add their own modules

    Imports inside functions count as those at the top. Imports under ``if TYPE_CHECKING`` do not: they run nothing.
    Sixteen hexadecimal digits of SHA-256 are kept.
    """
    modules = set(_reachable(module))
    for plugin in plugins:
        for name in plugin_modules(plugin):
            modules |= _reachable(name)
    combined = hashlib.sha256()
    for name in sorted(modules):
        combined.update(f"{name}:{_module_digest(name)}\n".encode())
    return combined.hexdigest()[:16]


def plugin_modules(value: Any) -> Iterator[str]:
    """The modules that define the plug-ins found inside a specification."""
    from pydantic import BaseModel

    from yuragi.plugins import Plugin

    if isinstance(value, Plugin):
        yield type(value).__module__
    if isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from plugin_modules(getattr(value, field))
    elif isinstance(value, dict):
        for item in value.values():
            yield from plugin_modules(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from plugin_modules(item)


def meaning(source: str) -> str:
    """The syntax tree of a module as text, without docstrings, descriptions of fields, comments, spacing and line numbers.

    >>> meaning("x = 1  # one") == meaning("'''Doc.'''\\nx   =   1")
    True
    >>> meaning("x = 1") == meaning("x = 2")
    False
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _starts_with_docstring(body):
            node.body = body[1:]
        elif isinstance(node, ast.Call):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
    return ast.dump(tree)


@functools.cache
def _reachable(module: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting.extend(_imports(name) - found)
    return frozenset(found)


@functools.cache
def _imports(module: str) -> frozenset[str]:
    """Modules of the package that ``module`` imports; a name imported from a room means the room's submodule where there is one."""
    found = set()
    for node in _running_nodes(ast.parse(_source(module))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if _path(submodule) else node.module)
    return frozenset(name for name in found if _path(name))


def _running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for other in child.orelse:
                yield other
                yield from _running_nodes(other)
            continue
        yield child
        yield from _running_nodes(child)


@functools.cache
def _module_digest(module: str) -> str:
    return hashlib.sha256(meaning(_source(module)).encode()).hexdigest()


@functools.cache
def _path(module: str) -> Path | None:
    """The file of a module, found without importing the module itself."""
    root = importlib.util.find_spec(PACKAGE)
    assert root is not None
    assert root.submodule_search_locations is not None
    base = Path(root.submodule_search_locations[0]).joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _source(module: str) -> str:
    path = _path(module)
    if path is None:
        raise ModuleNotFoundError(module)
    return path.read_text()


def _starts_with_docstring(body: object) -> bool:
    return (
        isinstance(body, list)
        and bool(body)
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    )
