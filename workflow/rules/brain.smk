# The brain's side: spectra, spontaneous activity, and the brain target that carries both to the networks.


rule spectra:
    input:
        f"{plan.results}/recordings/{{recording}}.nc",
    output:
        f"{plan.results}/spectra/{{recording}}.nc",
    log:
        f"{plan.results}/logs/spectra/{{recording}}.log",
    benchmark:
        f"{plan.results}/benchmarks/spectra/{{recording}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("spectra", wildcards.recording),
        code=lambda wildcards: plan.code("spectra", wildcards.recording),
    shell:
        "yuragi spectra {input} {output} --spec {params.spec:q} 2>&1 | tee {log}"


rule spontaneous:
    input:
        f"{plan.results}/recordings/{{recording}}.nc",
    output:
        model=f"{plan.results}/spontaneous/{{recording}}.nc",
        comparison=f"{plan.results}/spontaneous/{{recording}}.comparison.csv",
    log:
        f"{plan.results}/logs/spontaneous/{{recording}}.log",
    benchmark:
        f"{plan.results}/benchmarks/spontaneous/{{recording}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("spontaneous", wildcards.recording),
        code=lambda wildcards: plan.code("spontaneous", wildcards.recording),
    shell:
        "yuragi spontaneous {input} {output.model} {output.comparison} --spec {params.spec:q} 2>&1 | tee {log}"


# One job an exponent, so that all cores are used; the figures put them together.
rule calibrate:
    output:
        estimates=f"{plan.results}/calibration/alpha_{{planted}}.csv",
        pure_noise=f"{plan.results}/calibration/alpha_{{planted}}.pure_noise.csv",
    log:
        f"{plan.results}/logs/calibrate/{{planted}}.log",
    benchmark:
        f"{plan.results}/benchmarks/calibrate/{{planted}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("calibrate", wildcards.planted),
        code=lambda wildcards: plan.code("calibrate", wildcards.planted),
    shell:
        "yuragi calibrate {output.estimates} {output.pure_noise} --spec {params.spec:q} 2>&1 | tee {log}"


rule layer:
    input:
        images=f"{plan.results}/images/{{experiment}}.nc",
        network=lambda wildcards: plan.plain_network(wildcards.experiment),
    output:
        f"{plan.results}/layers/{{experiment}}/{{layer}}.nc",
    log:
        f"{plan.results}/logs/layer/{{experiment}}/{{layer}}.log",
    benchmark:
        f"{plan.results}/benchmarks/layer/{{experiment}}/{{layer}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("layer", wildcards.layer),
        code=lambda wildcards: plan.code("layer", wildcards.layer),
    shell:
        "yuragi layer {input.images} {input.network} {output} --spec {params.spec:q} 2>&1 | tee {log}"


rule hierarchy:
    input:
        lambda wildcards: plan.stage_files(wildcards.hierarchy),
    output:
        stages=f"{plan.results}/hierarchies/{{hierarchy}}.stages.csv",
        pairs=f"{plan.results}/hierarchies/{{hierarchy}}.pairs.csv",
    log:
        f"{plan.results}/logs/hierarchy/{{hierarchy}}.log",
    benchmark:
        f"{plan.results}/benchmarks/hierarchy/{{hierarchy}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("hierarchy", wildcards.hierarchy),
        code=lambda wildcards: plan.code("hierarchy", wildcards.hierarchy),
    shell:
        "yuragi hierarchy {output.stages} {output.pairs} {input} --spec {params.spec:q} 2>&1 | tee {log}"


rule target:
    input:
        **plan.target_inputs(),
    output:
        f"{plan.results}/target.nc",
    log:
        f"{plan.results}/logs/target.log",
    benchmark:
        f"{plan.results}/benchmarks/target.tsv"
    params:
        spec=lambda wildcards: plan.spec("target"),
        code=lambda wildcards: plan.code("target"),
        files=lambda wildcards, input: " ".join(
            f"--{name} {value}" for name, value in input.items() if value
        ),
    shell:
        "yuragi target {output} {params.files} --spec {params.spec:q} 2>&1 | tee {log}"
