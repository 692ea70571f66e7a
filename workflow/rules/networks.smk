# The networks' side: training, attacks, and the tables of what they tell.


rule train:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        target=lambda wildcards: plan.target_file(wildcards.arm),
    output:
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
        history=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.history.csv",
    log:
        f"{plan.results}/logs/train/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/train/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "train", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "train", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        target=lambda wildcards, input: (
            f"--target {input.target}" if input.target else ""
        ),
        scratch=f"{plan.results}/.scratch",
    shell:
        "yuragi train {input.images} {output.network} {output.history} {params.target}"
        " --scratch {params.scratch} --spec {params.spec:q} 2>&1 | tee {log}"


rule attack:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
    output:
        f"{plan.results}/attacks/{{experiment}}/{{arm}}-seed{{seed}}.nc",
    log:
        f"{plan.results}/logs/attack/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/attack/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "attack", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "attack", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
    shell:
        "yuragi attack {input.images} {input.network} {output} --spec {params.spec:q} 2>&1 | tee {log}"


rule activity:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        networks=lambda wildcards: expand(
            f"{plan.results}/networks/{{network}}.safetensors",
            network=plan.networks(wildcards.experiment),
        ),
    output:
        f"{plan.results}/activity/{{experiment}}.nc",
    log:
        f"{plan.results}/logs/activity/{{experiment}}.log",
    benchmark:
        f"{plan.results}/benchmarks/activity/{{experiment}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("activity", wildcards.experiment),
        code=lambda wildcards: plan.code("activity", wildcards.experiment),
    shell:
        "yuragi activity {input.images} {output} {input.networks} --spec {params.spec:q} 2>&1 | tee {log}"


rule robustness:
    input:
        lambda wildcards: expand(
            f"{plan.results}/attacks/{{network}}.nc",
            network=plan.networks(wildcards.experiment),
        ),
    output:
        table=f"{plan.results}/robustness/{{experiment}}.csv",
        differences=f"{plan.results}/robustness/{{experiment}}.differences.csv",
    log:
        f"{plan.results}/logs/robustness/{{experiment}}.log",
    benchmark:
        f"{plan.results}/benchmarks/robustness/{{experiment}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("robustness", wildcards.experiment),
        code=lambda wildcards: plan.code("robustness", wildcards.experiment),
    shell:
        "yuragi robustness {output.table} {output.differences} {input} --spec {params.spec:q} 2>&1 | tee {log}"
