"""The one kind of error that a user of yuragi can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something given to yuragi is wrong: a file, a configuration key or an argument.

    The message is one line that names the file or key, the value found and the remedy. The command line prints
    it without a traceback and exits with status 2.
    """


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """An `InputError` for a name that does not exist: it lists the known ones and guesses what was meant.

    >>> print(unknown("attack", "pdg", ["fgsm", "pgd"]))
    attack 'pdg' does not exist; did you mean 'pgd'? Known: fgsm, pgd
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    guess = f" did you mean '{close[0]}'?" if close else ""
    return InputError(f"{what} '{name}' does not exist;{guess} Known: {', '.join(names)}")
