"""The command line: one command a job, derived from the jobs themselves."""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

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
        told = error.strerror or " ".join(str(error).split())
        print(f"yuragi: {error.filename or 'a file'}: {told}; free space or mend permissions, then run the same again", file=sys.stderr)
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
    given = _parsed(_parser(chosen, parameters), arguments)
    values: dict[str, Any] = {}
    if chosen.spec_class is not None:
        values["spec"] = _specification(chosen, given)
    values |= {parameter.name: given[parameter.name] for parameter in parameters}
    inputs, outputs = (_paths(values, parameters, role) for role in ("input", "output"))
    for path in inputs:
        if not path.exists():
            raise InputError(f"{path}: no such file; run the step that makes it, or check the name")
    for path in outputs:
        _check_writable(path)
    try:
        chosen.module.run(**values)
    except InputError as error:
        raise _with_file(error, inputs, outputs) from error
    if chosen.spec_class is not None and outputs:
        _write_specification(chosen, values["spec"], inputs, outputs[0])
    return 0


def _paths(values: dict[str, Any], parameters: list[Parameter], role: str) -> list[Path]:
    """The files that a job reads or writes, in the order of its arguments."""
    given = [values[parameter.name] for parameter in parameters if parameter.role == role]
    return [path for value in given for path in (value if isinstance(value, list) else [value]) if path is not None]


def _check_writable(path: Path) -> None:
    """Refuse an output that cannot be written before the work for it is done."""
    if path.is_dir():
        raise InputError(f"{path}: it is a folder; name a file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise InputError(f"{path}: cannot be written, since {folder} is no folder; name another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written in {folder}; mend its permissions or name another place")


def _with_file(error: InputError, inputs: list[Path], outputs: list[Path]) -> InputError:
    """The error of a job, with its first file in front where it names none and no argument of the command line."""
    told = str(error)
    files = inputs or outputs
    named = told.startswith("--") or any(str(path) in told for path in (*inputs, *outputs))
    return error if named or not files else InputError(f"{files[0]}: {told}")


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors of one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; {self.prog} --help tells the arguments")


def _parsed(parser: _Parser, arguments: list[str]) -> dict[str, Any]:
    given, left = parser.parse_known_args(arguments)
    if left:
        wrong = next((word for word in left if word.startswith("-")), left[0])
        options = [name for action in parser._actions for name in action.option_strings]
        close = difflib.get_close_matches(wrong.split("=", 1)[0], options, n=1)
        guess = f" did you mean '{close[0]}'?" if close else ""
        raise InputError(f"{wrong}: this argument does not exist;{guess} {parser.prog} --help tells those that do")
    return vars(given)


def _parser(chosen: Job, parameters: list[Parameter]) -> _Parser:
    # Abbreviations would let a misspelt option pass as another.
    parser = _Parser(
        prog=f"yuragi {chosen.name}", description=chosen.module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    meaning = {"input": "file that is read", "output": "file that is written", "setting": "setting that does not change the result"}
    for parameter in parameters:
        as_type = Path if parameter.role != "setting" else int if isinstance(parameter.default, int) else str
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

    from yuragi.settings import described, validate

    text = given["spec"]
    remedy = "give an object such as '{\"seed\": 1}' or @FILE"
    try:
        values = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        raise InputError(f"--spec {text[:60]}: cannot be read as JSON ({error}); {remedy}") from error
    if not isinstance(values, dict):
        raise InputError(f"--spec {text[:60]}: it is {described(values)}; {remedy}")
    for key, value in given.items():
        if key.startswith("spec.") and value is not None:
            name = key.removeprefix("spec.")
            try:
                values[name] = yaml.safe_load(value)
            except (ValueError, yaml.YAMLError) as error:
                told = " ".join(str(error).split())
                raise InputError(
                    f"{_option(name)} {value[:60]}: cannot be read as YAML ({told}); give for instance 3, true or '[11, 500]'"
                ) from error
    assert chosen.spec_class is not None
    return validate(chosen.spec_class, values, "--spec")


def _write_specification(chosen: Job, spec: Any, inputs: list[Path], output: Path) -> None:
    """The resolved specification lies beside the first output: what was computed, from what, by which code."""
    from yuragi.files import sha256_of, write_json

    record = {
        "job": chosen.name,
        "yuragi": __version__,
        "code": chosen.digest(spec),
        "spec": spec.canonical(),
        "inputs": {str(path): sha256_of(path) for path in inputs if path.is_file()},
    }
    write_json(record, output.with_name(f"{output.name}.spec.json"))


if __name__ == "__main__":
    sys.exit(main())
