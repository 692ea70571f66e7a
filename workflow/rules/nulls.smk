# Spontaneous activity beside null models of it: recording by recording, together for a group, and a test of the test.


rule nulls:
    input:
        f"{plan.results}/recordings/{{recording}}.nc",
    output:
        comparison=f"{plan.results}/nulls/{{recording}}.comparison.csv",
        similarity=f"{plan.results}/nulls/{{recording}}.similarity.csv",
    log:
        f"{plan.results}/logs/nulls/{{recording}}.log",
    benchmark:
        f"{plan.results}/benchmarks/nulls/{{recording}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("nulls", wildcards.recording),
        code=lambda wildcards: plan.code("nulls", wildcards.recording),
    shell:
        "yuragi nulls {input} {output.comparison} {output.similarity} --spec {params.spec:q} 2>&1 | tee {log}"


rule prediction:
    input:
        f"{plan.results}/recordings/{{recording}}.nc",
    output:
        f"{plan.results}/nulls/{{recording}}.prediction.csv",
    log:
        f"{plan.results}/logs/prediction/{{recording}}.log",
    benchmark:
        f"{plan.results}/benchmarks/prediction/{{recording}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("prediction", wildcards.recording),
        code=lambda wildcards: plan.code("prediction", wildcards.recording),
    shell:
        "yuragi prediction {input} {output} --spec {params.spec:q} 2>&1 | tee {log}"


rule group:
    input:
        comparisons=lambda wildcards: plan.null_files("comparison.csv", wildcards.group),
    output:
        f"{plan.results}/nulls/groups/{{group}}.csv",
    log:
        f"{plan.results}/logs/group/{{group}}.log",
    benchmark:
        f"{plan.results}/benchmarks/group/{{group}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("group", wildcards.group),
        code=lambda wildcards: plan.code("group", wildcards.group),
    shell:
        "yuragi group {output} {input.comparisons} --spec {params.spec:q} 2>&1 | tee {log}"


rule ranking:
    input:
        predictions=lambda wildcards: plan.null_files("prediction.csv", wildcards.group),
    output:
        f"{plan.results}/nulls/groups/{{group}}.ranking.csv",
    log:
        f"{plan.results}/logs/ranking/{{group}}.log",
    benchmark:
        f"{plan.results}/benchmarks/ranking/{{group}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("ranking", wildcards.group),
        code=lambda wildcards: plan.code("ranking", wildcards.group),
    shell:
        "yuragi ranking {output} {input.predictions} --spec {params.spec:q} 2>&1 | tee {log}"


rule rejection:
    input:
        plan.validated(),
    output:
        f"{plan.results}/nulls/rejection/{{process}}.csv",
    log:
        f"{plan.results}/logs/rejection/{{process}}.log",
    benchmark:
        f"{plan.results}/benchmarks/rejection/{{process}}.tsv"
    params:
        spec=lambda wildcards: plan.spec("rejection", wildcards.process),
        code=lambda wildcards: plan.code("rejection", wildcards.process),
    shell:
        "yuragi rejection {input} {output} --spec {params.spec:q} 2>&1 | tee {log}"
