# Recordings and images: fetched once, then labelled arrays. Only `fetch` uses the network.


rule fetch:
    input:
        plan.markers(),


rule fetch_dataset:
    output:
        f"{plan.config.data.cache}/.fetched/{plan.config.name}/{{dataset}}.json",
    log:
        f"{plan.results}/logs/fetch/{{dataset}}.log",
    benchmark:
        f"{plan.results}/benchmarks/fetch/{{dataset}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("fetch", wildcards.dataset),
        code=lambda wildcards: plan.code("fetch", wildcards.dataset),
        lost=lambda wildcards: plan.lost(wildcards.dataset),
        where=plan.fetch_options,
    shell:
        "yuragi fetch {output} --spec {params.spec:q} {params.where} 2>&1 | tee {log}"


rule ingest:
    input:
        lambda wildcards: plan.markers(f"{wildcards.kind}/{wildcards.name}"),
        lambda wildcards: plan.local_files(f"{wildcards.kind}/{wildcards.name}"),
    output:
        f"{plan.results}/{{kind}}/{{name}}.nc",
    log:
        f"{plan.results}/logs/ingest/{{kind}}/{{name}}.log",
    benchmark:
        f"{plan.results}/benchmarks/ingest/{{kind}}/{{name}}.tsv"
    wildcard_constraints:
        kind="recordings|images",
        name="[a-z][a-z0-9_]*",
    params:
        spec=lambda wildcards: plan.spec("ingest", f"{wildcards.kind}/{wildcards.name}"),
        code=lambda wildcards: plan.code("ingest", f"{wildcards.kind}/{wildcards.name}"),
        cache=plan.config.data.cache,
    shell:
        "yuragi ingest {output} --spec {params.spec:q} --cache {params.cache:q} 2>&1 | tee {log}"
