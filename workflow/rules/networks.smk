# The networks' side: training, attacks, and the tables of what they tell.


rule train:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        target=lambda wildcards: plan.target_file(wildcards.arm),
        choice=lambda wildcards: plan.choice_file(wildcards.experiment),
    output:
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
        history=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.history.csv",
    log:
        f"{plan.results}/logs/train/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/train/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    resources:
        # How many GPUs, or processes on a processor, train one network; a profile sets it.
        devices=1,
    params:
        spec=lambda wildcards: plan.spec(
            "train", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "train", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        files=lambda wildcards, input: plan.options(input, "target", "choice"),
        scratch=f"{plan.results}/.scratch",
        # Beside the log, where a failed job leaves it.
        live=f"{plan.results}/logs/train/{{experiment}}/{{arm}}-seed{{seed}}.csv",
    shell:
        "yuragi train {input.images} {output.network} {output.history} {params.files} --live {params.live} --devices {resources.devices}"
        " --scratch {params.scratch} --spec {params.spec:q} 2>&1 | tee {log}"


rule choose:
    input:
        lambda wildcards: f"{plan.results}/images/{plan.config.choices[wildcards.choice].experiment}.nc",
    output:
        f"{plan.results}/choices/{{choice}}.csv",
    log:
        f"{plan.results}/logs/choose/{{choice}}.log",
    benchmark:
        f"{plan.results}/benchmarks/choose/{{choice}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("choose", wildcards.choice),
        code=lambda wildcards: plan.code("choose", wildcards.choice),
    shell:
        "yuragi choose {input} {output} --spec {params.spec:q} 2>&1 | tee {log}"


rule memorise:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        target=lambda wildcards: plan.target_file(wildcards.arm),
        choice=lambda wildcards: plan.choice_file(wildcards.experiment),
    output:
        f"{plan.results}/memorisation/{{experiment}}/{{arm}}-seed{{seed}}.csv",
    log:
        f"{plan.results}/logs/memorise/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/memorise/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "memorise", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "memorise", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        files=lambda wildcards, input: plan.options(input, "target", "choice"),
        scratch=f"{plan.results}/.scratch",
    shell:
        "yuragi memorise {input.images} {output} {params.files}"
        " --scratch {params.scratch} --spec {params.spec:q} 2>&1 | tee {log}"


rule properties:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        networks=lambda wildcards: expand(
            f"{plan.results}/networks/{{network}}.safetensors",
            network=plan.networks(wildcards.experiment),
        ),
    output:
        f"{plan.results}/properties/{{experiment}}.csv",
    log:
        f"{plan.results}/logs/properties/{{experiment}}.log",
    benchmark:
        f"{plan.results}/benchmarks/properties/{{experiment}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("properties", wildcards.experiment),
        code=lambda wildcards: plan.code("properties", wildcards.experiment),
    shell:
        "yuragi properties {input.images} {output} {input.networks} --spec {params.spec:q} 2>&1 | tee {log}"


rule attack:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
    output:
        f"{plan.results}/attacks{{l2}}/{{experiment}}/{{arm}}-seed{{seed}}.nc",
    log:
        f"{plan.results}/logs/attack{{l2}}/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/attack{{l2}}/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            f"attack{wildcards.l2}",
            f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}",
        ),
        code=lambda wildcards: plan.code(
            f"attack{wildcards.l2}",
            f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}",
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
            f"{plan.results}/attacks{wildcards.l2}/{{network}}.nc",
            network=plan.networks(wildcards.experiment),
        ),
    output:
        table=f"{plan.results}/robustness{{l2}}/{{experiment}}.csv",
        differences=f"{plan.results}/robustness{{l2}}/{{experiment}}.differences.csv",
    log:
        f"{plan.results}/logs/robustness{{l2}}/{{experiment}}.log",
    benchmark:
        f"{plan.results}/benchmarks/robustness{{l2}}/{{experiment}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            f"robustness{wildcards.l2}", wildcards.experiment
        ),
        code=lambda wildcards: plan.code(
            f"robustness{wildcards.l2}", wildcards.experiment
        ),
    shell:
        "yuragi robustness {output.table} {output.differences} {input} --spec {params.spec:q} 2>&1 | tee {log}"
