# The Allen Brain Observatory: its SDK lives in an environment of its own (envs/allensdk.txt), which hands over NetCDF when the data set is fetched.

import re

ALLEN = [
    name for name, dataset in plan.datasets.items() if dataset.kind.startswith("allen_")
]


localrules:
    fetch_allen,


# The same marker as that of any other data set, made by this rule for those that need the SDK.
ruleorder: fetch_allen > fetch_dataset


rule fetch_allen:
    output:
        f"{plan.config.data.cache}/.fetched/{plan.config.name}/{{dataset}}.json",
    log:
        f"{plan.results}/logs/fetch/{{dataset}}.log",
    benchmark:
        f"{plan.results}/benchmarks/fetch/{{dataset}}.tsv"
    wildcard_constraints:
        dataset="|".join(map(re.escape, ALLEN)) or "(?!)",
    params:
        spec=lambda wildcards: plan.spec("fetch", wildcards.dataset),
        code=lambda wildcards: plan.code("fetch", wildcards.dataset),
        lost=lambda wildcards: plan.lost(wildcards.dataset),
        where=plan.fetch_options,
        python=os.environ.get("YURAGI_ALLENSDK_PYTHON", ".venv-allensdk/bin/python"),
    shell:
        "YURAGI_ALLENSDK_PYTHON={params.python:q} yuragi fetch {output} --spec {params.spec:q} {params.where} 2>&1 | tee {log}"
