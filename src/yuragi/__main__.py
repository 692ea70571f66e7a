"""The command line: one command a job, derived from the jobs themselves."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from yuragi import __version__
from yuragi.errors import InputError
from yuragi.jobs.base import Job, Parameter, job, names


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job; return the exit status: 0, or 2 after one line that says what to mend."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(_overview())
            return 0
        if arguments[0] == "--version":
            print(f"yuragi {__version__}")
            return 0
        return _run(job(arguments[0]), arguments[1:])
    except InputError as error:
        print(f"yuragi: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(
            f"yuragi: {error.filename or 'a file'}: {error.strerror or error}; free space or mend permissions, then run the same again",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("yuragi: interrupted; nothing half-written is left, run the same command to go on", file=sys.stderr)
        return 130


def _overview() -> str:
    """The list of commands. Titles are read from the source, so that no job is imported for it."""
    lines = ["usage: yuragi COMMAND [arguments]; yuragi COMMAND --help tells its arguments", "", "commands:"]
    for name in names():
        specification = importlib.util.find_spec("yuragi.jobs")
        assert specification is not None
        assert specification.submodule_search_locations is not None
        source = Path(specification.submodule_search_locations[0], f"{name}.py").read_text()
        title = (ast.get_docstring(ast.parse(source)) or "").split("\n", 1)[0]
        lines.append(f"  {name:<12} {title}")
    return "\n".join([*lines, "", "The workflow runs the same commands: snakemake --cores 2 --configfile config/demo.yaml"])


def _run(chosen: Job, arguments: list[str]) -> int:
    parameters = list(chosen.parameters())
    given = vars(_parser(chosen, parameters).parse_args(arguments))
    values: dict[str, Any] = {}
    if chosen.spec_class is not None:
        values["spec"] = _specification(chosen, given)
    for parameter in parameters:
        value = given[parameter.name]
        if parameter.role == "input":
            _check_exists(value)
        values[parameter.name] = value
    chosen.module.run(**values)
    _write_specification(chosen, values, parameters)
    return 0


def _parser(chosen: Job, parameters: list[Parameter]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"yuragi {chosen.name}", description=chosen.module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    meaning = {"input": "file that is read", "output": "file that is written", "setting": "setting that does not change the result"}
    for parameter in parameters:
        as_type = Path if parameter.role != "setting" else str
        if parameter.required:
            parser.add_argument(parameter.name, type=as_type, nargs="+" if parameter.several else None, help=meaning[parameter.role])
        else:
            shown = f"{meaning[parameter.role]}{'' if parameter.default is None else f' (default: {parameter.default})'}"
            parser.add_argument(
                _option(parameter.name),
                type=as_type,
                nargs="*" if parameter.several else None,
                default=parameter.default,
                dest=parameter.name,
                help=shown,
            )
    if chosen.spec_class is not None:
        parser.add_argument("--spec", default="{}", help="the specification as JSON, or @FILE to read it; the options below replace its keys")
        group = parser.add_argument_group("specification", "each value as YAML, for instance 3, true or '[11, 500]'")
        for name, field in chosen.spec_class.model_fields.items():
            default = "" if field.is_required() else f" (default: {field.get_default(call_default_factory=True)})"
            text = f"{field.description or name}{default}".replace("%", "%%")
            group.add_argument(_option(name), dest=f"spec.{name}", metavar="VALUE", help=text)
    return parser


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _specification(chosen: Job, given: dict[str, Any]) -> Any:
    import yaml

    from yuragi.settings import validate

    text = given["spec"]
    try:
        values = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"--spec {text[:60]}: cannot be read as JSON ({error}); give an object such as '{{\"seed\": 1}}' or @FILE") from error
    for key, value in given.items():
        if key.startswith("spec.") and value is not None:
            values[key.removeprefix("spec.")] = yaml.safe_load(value)
    assert chosen.spec_class is not None
    return validate(chosen.spec_class, values, "--spec")


def _check_exists(value: Path | list[Path] | None) -> None:
    for path in value if isinstance(value, list) else [value]:
        if path is not None and not path.exists():
            raise InputError(f"{path}: no such file; run the step that makes it, or check the name")


def _write_specification(chosen: Job, values: dict[str, Any], parameters: list[Parameter]) -> None:
    """The resolved specification lies beside the first output: what was computed, from what, by which code."""
    from yuragi.files import sha256_of, write_json

    outputs = [values[parameter.name] for parameter in parameters if parameter.role == "output" and values[parameter.name]]
    if not outputs or chosen.spec_class is None:
        return
    inputs: dict[str, str] = {}
    for parameter in parameters:
        if parameter.role == "input":
            value = values[parameter.name]
            inputs |= {str(path): sha256_of(path) for path in (value if isinstance(value, list) else [value]) if path and path.is_file()}
    spec = values["spec"]
    record = {
        "job": chosen.name,
        "yuragi": __version__,
        "code": chosen.digest(spec),
        "spec": spec.canonical(),
        "inputs": inputs,
    }
    write_json(record, outputs[0].with_suffix(".spec.json"))


if __name__ == "__main__":
    sys.exit(main())
