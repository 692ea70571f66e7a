# Networks that learn by sampling: the exact posterior beside its controls and its twin trained by gradients, what they recognise, how they
# fluctuate, what they remember, and what attacks do to them.

SAMPLING = f"{plan.sampling.folder}/{{study}}"


rule sampling_choose:
    input:
        f"{plan.results}/images/{{study}}.nc",
    output:
        f"{SAMPLING}/choice.csv",
    log:
        f"{plan.results}/logs/sampling_choose/{{study}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_choose/{{study}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("sampling_choose", wildcards.study),
        code=lambda wildcards: plan.code("sampling_choose", wildcards.study),
    shell:
        "NUMBA_NUM_THREADS={threads} yuragi sampling_choose {input} {output} --spec {params.spec:q} 2>&1 | tee {log}"


rule sampling_learn:
    input:
        images=f"{plan.results}/images/{{study}}.nc",
        choice=lambda wildcards: plan.sampling.choice(wildcards.study),
    output:
        posterior=f"{SAMPLING}/{{arm}}-seed{{seed}}.nc",
        history=f"{SAMPLING}/{{arm}}-seed{{seed}}.history.csv",
        predictions=f"{SAMPLING}/{{arm}}-seed{{seed}}.predictions.nc",
    log:
        f"{plan.results}/logs/sampling_learn/{{study}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_learn/{{study}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "sampling_learn", f"{wildcards.study}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "sampling_learn", f"{wildcards.study}/{wildcards.arm}-seed{wildcards.seed}"
        ),
        files=lambda wildcards, input: plan.options(input, "choice"),
        scratch=f"{plan.results}/.scratch",
    shell:
        "NUMBA_NUM_THREADS={threads} yuragi sampling_learn {input.images} {output.posterior} {output.history} {output.predictions}"
        " {params.files} --scratch {params.scratch} --spec {params.spec:q} 2>&1 | tee {log}"


rule sampling_twin:
    input:
        f"{plan.results}/images/{{study}}.nc",
    output:
        network=f"{SAMPLING}/twin-seed{{seed}}.safetensors",
        history=f"{SAMPLING}/twin-seed{{seed}}.training.csv",
    log:
        f"{plan.results}/logs/sampling_twin/{{study}}/seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_twin/{{study}}/seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "sampling_twin", f"{wildcards.study}/twin-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "sampling_twin", f"{wildcards.study}/twin-seed{wildcards.seed}"
        ),
        scratch=f"{plan.results}/.scratch",
        live=f"{plan.results}/logs/sampling_twin/{{study}}/seed{{seed}}.csv",
    shell:
        "yuragi sampling_twin {input} {output.network} {output.history} --live {params.live} --scratch {params.scratch}"
        " --spec {params.spec:q} 2>&1 | tee {log}"


rule sampling_summary:
    input:
        images=f"{plan.results}/images/{{study}}.nc",
        posteriors=lambda wildcards: plan.sampling.of_arms(wildcards.study, ".nc"),
        predictions=lambda wildcards: plan.sampling.of_arms(
            wildcards.study, ".predictions.nc"
        ),
        twins=lambda wildcards: plan.sampling.twins(wildcards.study),
    output:
        accuracy=f"{SAMPLING}/accuracy.csv",
        claims=f"{SAMPLING}/claims.csv",
        mixing=f"{SAMPLING}/mixing.csv",
    log:
        f"{plan.results}/logs/sampling_summary/{{study}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_summary/{{study}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("sampling_summary", wildcards.study),
        code=lambda wildcards: plan.code("sampling_summary", wildcards.study),
        files=lambda wildcards, input: plan.options(input, "predictions", "twins"),
    shell:
        "yuragi sampling_summary {input.images} {output.accuracy} {output.claims} {output.mixing} {input.posteriors} {params.files}"
        " --spec {params.spec:q} 2>&1 | tee {log}"


rule sampling_attack:
    input:
        images=f"{plan.results}/images/{{study}}.nc",
        network=lambda wildcards: plan.sampling.network(
            wildcards.study, wildcards.arm, wildcards.seed
        ),
        partner=lambda wildcards: plan.sampling.partner(
            wildcards.study, wildcards.arm, wildcards.seed
        ),
    output:
        f"{SAMPLING}/attacked/{{arm}}-seed{{seed}}.nc",
    log:
        f"{plan.results}/logs/sampling_attack/{{study}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_attack/{{study}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "sampling_attack",
            f"{wildcards.study}/{wildcards.arm}-seed{wildcards.seed}",
        ),
        code=lambda wildcards: plan.code(
            "sampling_attack",
            f"{wildcards.study}/{wildcards.arm}-seed{wildcards.seed}",
        ),
        files=lambda wildcards, input: plan.options(input, "partner"),
    shell:
        "yuragi sampling_attack {input.images} {input.network} {output} {params.files} --spec {params.spec:q} 2>&1 | tee {log}"


rule sampling_robustness:
    input:
        lambda wildcards: plan.sampling.attacked(wildcards.study),
    output:
        table=f"{SAMPLING}/robustness.csv",
        differences=f"{SAMPLING}/robustness_differences.csv",
    log:
        f"{plan.results}/logs/sampling_robustness/{{study}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_robustness/{{study}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("sampling_robustness", wildcards.study),
        code=lambda wildcards: plan.code("sampling_robustness", wildcards.study),
    shell:
        "yuragi sampling_robustness {output.table} {output.differences} {input} --spec {params.spec:q} 2>&1 | tee {log}"


rule sampling_fluctuation:
    input:
        images=f"{plan.results}/images/{{study}}.nc",
        posterior=f"{SAMPLING}/{{arm}}-seed{{seed}}.nc",
    output:
        table=f"{SAMPLING}/{{arm}}-seed{{seed}}.fluctuation.csv",
        lags=f"{SAMPLING}/{{arm}}-seed{{seed}}.lags.csv",
        results=f"{SAMPLING}/{{arm}}-seed{{seed}}.fluctuation.nc",
    log:
        f"{plan.results}/logs/sampling_fluctuation/{{study}}/{{arm}}-seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_fluctuation/{{study}}/{{arm}}-seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "sampling_fluctuation",
            f"{wildcards.study}/{wildcards.arm}-seed{wildcards.seed}",
        ),
        code=lambda wildcards: plan.code(
            "sampling_fluctuation",
            f"{wildcards.study}/{wildcards.arm}-seed{wildcards.seed}",
        ),
    shell:
        "NUMBA_NUM_THREADS={threads} yuragi sampling_fluctuation {input.images} {input.posterior} {output.table} {output.lags} {output.results}"
        " --spec {params.spec:q} 2>&1 | tee {log}"


rule sampling_fluctuation_claims:
    input:
        lambda wildcards: plan.sampling.fluctuations(wildcards.study, ".fluctuation.nc"),
    output:
        f"{SAMPLING}/stability.csv",
    log:
        f"{plan.results}/logs/sampling_fluctuation_claims/{{study}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_fluctuation_claims/{{study}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("sampling_fluctuation_claims", wildcards.study),
        code=lambda wildcards: plan.code("sampling_fluctuation_claims", wildcards.study),
    shell:
        "yuragi sampling_fluctuation_claims {output} {input} --spec {params.spec:q} 2>&1 | tee {log}"


rule sampling_memory:
    input:
        images=f"{plan.results}/images/{{study}}.nc",
        posterior=f"{SAMPLING}/sampled-seed{{seed}}.nc",
    output:
        table=f"{SAMPLING}/memory-seed{{seed}}.csv",
        examples=f"{SAMPLING}/memory-seed{{seed}}.examples.nc",
    log:
        f"{plan.results}/logs/sampling_memory/{{study}}/seed{{seed}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_memory/{{study}}/seed{{seed}}.tsv"
    params:
        spec=lambda wildcards: plan.spec(
            "sampling_memory", f"{wildcards.study}/memory-seed{wildcards.seed}"
        ),
        code=lambda wildcards: plan.code(
            "sampling_memory", f"{wildcards.study}/memory-seed{wildcards.seed}"
        ),
        files=lambda wildcards, input: plan.options(input, "posterior"),
    shell:
        "NUMBA_NUM_THREADS={threads} yuragi sampling_memory {input.images} {output.table} {output.examples} {params.files}"
        " --spec {params.spec:q} 2>&1 | tee {log}"


rule sampling_activity:
    input:
        images=f"{plan.results}/images/{{study}}.nc",
        posteriors=lambda wildcards: plan.sampling.exact(wildcards.study),
        twins=lambda wildcards: plan.sampling.twins(wildcards.study),
    output:
        variability=f"{SAMPLING}/variability.csv",
        spectrum=f"{SAMPLING}/spectrum.csv",
        spontaneous=f"{SAMPLING}/spontaneous.csv",
    log:
        f"{plan.results}/logs/sampling_activity/{{study}}.log",
    benchmark:
        f"{plan.results}/benchmarks/sampling_activity/{{study}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("sampling_activity", wildcards.study),
        code=lambda wildcards: plan.code("sampling_activity", wildcards.study),
        files=lambda wildcards, input: plan.options(input, "twins"),
    shell:
        "NUMBA_NUM_THREADS={threads} yuragi sampling_activity {input.images} {output.variability} {output.spectrum} {output.spontaneous}"
        " {input.posteriors} {params.files} --spec {params.spec:q} 2>&1 | tee {log}"
