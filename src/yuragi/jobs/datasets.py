"""List every data set that yuragi can read, with its size, licence and source."""

from __future__ import annotations

from yuragi.jobs.base import OutputPath


def run(*, readme: OutputPath | None = None) -> None:
    """Print the list; with ``--readme FILE`` write it as Markdown."""
    from yuragi.datasets import listing

    if readme is not None:
        listing.write_data_readme(readme)
        return
    listing.print_table()
