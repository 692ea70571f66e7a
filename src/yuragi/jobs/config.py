"""Check a configuration, print the name of its run, or write the schema and the manual of all."""

from __future__ import annotations

from yuragi.jobs.base import InputPath, OutputPath


def run(*, check: InputPath | None = None, name: InputPath | None = None, schema: OutputPath | None = None, manual: OutputPath | None = None) -> None:
    """Check a file, print the name of the run that it describes, write the JSON schema, write the manual: whichever is asked for."""
    from yuragi.config.manual import manual_text, schema_text
    from yuragi.config.model import read_config_file
    from yuragi.config.plan import Plan
    from yuragi.files import written_whole

    if check is not None:
        plan = Plan(read_config_file(check))
        print(f"{check}: in order; {len(plan.datasets)} data sets, {len(plan.networks())} networks, figures: {', '.join(plan.figures())}")
    if name is not None:
        print(read_config_file(name).name)
    for path, text in ((schema, schema_text), (manual, manual_text)):
        if path is not None:
            with written_whole(path) as temporary:
                temporary.write_text(text())
