"""From recordings to a robustness report. The science is in the package yuragi; each rule is one command of it."""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

from yuragi.config.model import read_config
from yuragi.config.plan import Plan
from yuragi.errors import InputError

min_version("9.27")
# Jobs call the `yuragi` that is installed beside this Snakemake, whether or not its environment is active.
shell.prefix(f'set -euo pipefail; export PATH="{Path(sys.executable).parent}:$PATH"; ')


# A configuration given on the command line replaces the default one whole: two merged ones would be neither.
if not workflow.configfiles:

    configfile: "config/demo.yaml"


# Only with `--software-deployment-method apptainer`; docs/cluster.md tells how the image is made from envs/Containerfile.
container: "envs/yuragi.sif"


report: "workflow/report/workflow.rst"


try:
    plan = Plan(
        read_config(
            config, ", ".join(os.path.relpath(path) for path in workflow.configfiles)
        )
    )
except InputError as error:
    sys.exit(f"yuragi: {error}")


wildcard_constraints:
    recording="[a-z][a-z0-9_]*",
    group="[a-z][a-z0-9_]*",
    hierarchy="[a-z][a-z0-9_]*",
    layer="[a-z][a-z0-9_]*",
    planted="[0-9.]+",
    process="[a-z][a-z0-9_]*",
    experiment="[a-z][a-z0-9_]*",
    arm="[a-z][a-z0-9_]*",
    seed="[0-9]+",
    choice="[a-z][a-z0-9_]*",
    transfer="[a-z][a-z0-9_]*",
    study="[a-z][a-z0-9_]*",
    l2="(_l2)?",
    figure="[a-z][a-z0-9_]*",


include: "workflow/rules/ingest.smk"
include: "workflow/rules/allen.smk"
include: "workflow/rules/brain.smk"
include: "workflow/rules/nulls.smk"
include: "workflow/rules/networks.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/sampling.smk"
include: "workflow/rules/figures.smk"


localrules:
    all,
    fetch,
    fetch_dataset,


rule all:
    default_target: True
    input:
        expand(f"{plan.results}/figures/{{figure}}.svg", figure=plan.figures()),
