"""For the site: docstrings as Markdown. Arguments become a list of definitions, doctests become code."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

NAME = re.compile(r"^\*{0,2}[A-Za-z_]\w*(, [A-Za-z_]\w*)*$")


class Readable(griffe.Extension):
    """Rewrite every docstring of the package when it is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """The same text, with ``name`` above an indented meaning as a definition and ``>>>`` lines as a block of code."""
    lines = textwrap.dedent(text.expandtabs()).splitlines()
    written: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        if line.startswith(">>>"):
            end = next((n for n in range(place, len(lines)) if not lines[n].strip()), len(lines))
            written += ["```pycon", *lines[place:end], "```", ""]
            place = end
        elif NAME.match(line) and place + 1 < len(lines) and lines[place + 1].startswith("    "):
            end = next((n for n in range(place + 1, len(lines)) if lines[n].strip() and not lines[n].startswith("    ")), len(lines))
            meaning = textwrap.dedent("\n".join(lines[place + 1 : end])).strip()
            written += ["", f"`{line}`", "", textwrap.indent(meaning, "    ").replace("    ", ":   ", 1), ""]
            place = end
        else:
            written.append(line)
            place += 1
    return "\n".join(written)
