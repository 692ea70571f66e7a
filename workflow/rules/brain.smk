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


rule calibrate:
    output:
        estimates=f"{plan.results}/calibration/estimates.csv",
        pure_noise=f"{plan.results}/calibration/pure_noise.csv",
    log:
        f"{plan.results}/logs/calibrate.log",
    benchmark:
        f"{plan.results}/benchmarks/calibrate.tsv"
    params:
        spec=lambda wildcards: plan.spec("calibrate"),
        code=lambda wildcards: plan.code("calibrate"),
    shell:
        "yuragi calibrate {output.estimates} {output.pure_noise} --spec {params.spec:q} 2>&1 | tee {log}"


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
