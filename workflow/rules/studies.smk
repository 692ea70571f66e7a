# What attacked networks are asked beside their robust accuracy: masked gradients, attacks in feature space, adaptive attackers,
# certificates, random corruptions, attacks each by itself, and transfer from network to network.


rule masking:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
    output:
        table=f"{plan.results}/masking/{{experiment}}/{{arm}}-seed{{seed}}.csv",
        draws=f"{plan.results}/masking/{{experiment}}/{{arm}}-seed{{seed}}.draws.csv",
        surface=f"{plan.results}/masking/{{experiment}}/{{arm}}-seed{{seed}}.surface.csv",
    log:
        f"{plan.results}/logs/masking/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/masking/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "masking", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "masking", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
    shell:
        "yuragi masking {input.images} {input.network} {output.table} {output.draws} {output.surface} --spec {params.spec:q} 2>&1 | tee {log}"


rule feature_space:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
    output:
        table=f"{plan.results}/feature_space/{{experiment}}/{{arm}}-seed{{seed}}.csv",
        examples=f"{plan.results}/feature_space/{{experiment}}/{{arm}}-seed{{seed}}.examples.nc",
    log:
        f"{plan.results}/logs/feature_space/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/feature_space/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "feature_space",
            f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}",
        ),
        code=lambda wildcards: plan.code(
            "feature_space",
            f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}",
        ),
    shell:
        "yuragi feature_space {input.images} {input.network} {output.table} {output.examples} --spec {params.spec:q} 2>&1 | tee {log}"


rule adaptivity:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
        target=plan.spontaneous_target(),
    output:
        f"{plan.results}/adaptivity/{{experiment}}/{{arm}}-seed{{seed}}.nc",
    log:
        f"{plan.results}/logs/adaptivity/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/adaptivity/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "adaptivity",
            f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}",
        ),
        code=lambda wildcards: plan.code(
            "adaptivity",
            f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}",
        ),
        files=lambda wildcards, input: plan.options(input, "target"),
    shell:
        "yuragi adaptivity {input.images} {input.network} {output} {params.files} --spec {params.spec:q} 2>&1 | tee {log}"


rule adaptivity_summary:
    input:
        lambda wildcards: plan.study_files("adaptivity", "nc", wildcards.experiment),
    output:
        table=f"{plan.results}/adaptivity/{{experiment}}.csv",
        claims=f"{plan.results}/adaptivity/{{experiment}}.claims.csv",
    log:
        f"{plan.results}/logs/adaptivity_summary/{{experiment}}.log",
    benchmark:
        f"{plan.results}/benchmarks/adaptivity_summary/{{experiment}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("adaptivity_summary", wildcards.experiment),
        code=lambda wildcards: plan.code("adaptivity_summary", wildcards.experiment),
    shell:
        "yuragi adaptivity_summary {output.table} {output.claims} {input} --spec {params.spec:q} 2>&1 | tee {log}"


rule certify:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
    output:
        f"{plan.results}/certificates/{{experiment}}/{{arm}}-seed{{seed}}.csv",
    log:
        f"{plan.results}/logs/certify/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/certify/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "certify", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "certify", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
    shell:
        "yuragi certify {input.images} {input.network} {output} --spec {params.spec:q} 2>&1 | tee {log}"


rule corrupt:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
    output:
        f"{plan.results}/corruptions/{{experiment}}/{{arm}}-seed{{seed}}.nc",
    log:
        f"{plan.results}/logs/corrupt/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/corrupt/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "corrupt", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "corrupt", f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}"
        ),
    shell:
        "yuragi corrupt {input.images} {input.network} {output} --spec {params.spec:q} 2>&1 | tee {log}"


rule corruptions:
    input:
        lambda wildcards: plan.study_files("corruptions", "nc", wildcards.experiment),
    output:
        table=f"{plan.results}/corruptions/{{experiment}}.csv",
        differences=f"{plan.results}/corruptions/{{experiment}}.differences.csv",
    log:
        f"{plan.results}/logs/corruptions/{{experiment}}.log",
    benchmark:
        f"{plan.results}/benchmarks/corruptions/{{experiment}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("corruptions", wildcards.experiment),
        code=lambda wildcards: plan.code("corruptions", wildcards.experiment),
    shell:
        "yuragi corruptions {output.table} {output.differences} {input} --spec {params.spec:q} 2>&1 | tee {log}"


rule single_attacks:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        network=f"{plan.results}/networks/{{experiment}}/{{arm}}-seed{{seed}}.safetensors",
    output:
        f"{plan.results}/single_attacks/{{experiment}}/{{arm}}-seed{{seed}}.nc",
    log:
        f"{plan.results}/logs/single_attacks/{{experiment}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/single_attacks/{{experiment}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "single_attacks",
            f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}",
        ),
        code=lambda wildcards: plan.code(
            "single_attacks",
            f"{wildcards.experiment}/{wildcards.arm}-seed{wildcards.seed}",
        ),
    shell:
        "yuragi single_attacks {input.images} {input.network} {output} --spec {params.spec:q} 2>&1 | tee {log}"


rule single_attacks_summary:
    input:
        lambda wildcards: plan.study_files("single_attacks", "nc", wildcards.experiment),
    output:
        table=f"{plan.results}/single_attacks/{{experiment}}.csv",
        gains=f"{plan.results}/single_attacks/{{experiment}}.gains.csv",
        capacity=f"{plan.results}/single_attacks/{{experiment}}.capacity.csv",
    log:
        f"{plan.results}/logs/single_attacks_summary/{{experiment}}.log",
    benchmark:
        f"{plan.results}/benchmarks/single_attacks_summary/{{experiment}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("single_attacks_summary", wildcards.experiment),
        code=lambda wildcards: plan.code("single_attacks_summary", wildcards.experiment),
    shell:
        "yuragi single_attacks_summary {output.table} {output.gains} {output.capacity} {input} --spec {params.spec:q} 2>&1 | tee {log}"


rule transferability:
    input:
        images=lambda wildcards: plan.transfer_images(wildcards.transfer),
        networks=lambda wildcards: plan.transfer_networks(wildcards.transfer),
    output:
        table=f"{plan.results}/transfers/{{transfer}}.csv",
        claims=f"{plan.results}/transfers/{{transfer}}.claims.csv",
    log:
        f"{plan.results}/logs/transferability/{{transfer}}.log",
    benchmark:
        f"{plan.results}/benchmarks/transferability/{{transfer}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("transferability", wildcards.transfer),
        code=lambda wildcards: plan.code("transferability", wildcards.transfer),
    shell:
        "yuragi transferability {input.images} {output.table} {output.claims} {input.networks} --spec {params.spec:q} 2>&1 | tee {log}"
