# Every figure is a table, then a drawing of that table; both are in the report.


def labels(what):
    return {"figure": "{figure}", "shows": what}


rule figure:
    input:
        unpack(lambda wildcards: plan.figure_inputs(wildcards.figure)),
    output:
        table=report(
            f"{plan.results}/figures/{{figure}}.csv", caption="../report/table.rst", category="Figures", subcategory="{figure}", labels=labels("table")
        ),
        drawing=report(
            f"{plan.results}/figures/{{figure}}.svg",
            caption="../report/{figure}.rst",
            category="Figures",
            subcategory="{figure}",
            labels=labels("drawing"),
        ),
    log:
        f"{plan.results}/logs/figure/{{figure}}.log",
    params:
        spec=lambda wildcards: plan.spec("figure", wildcards.figure),
        code=lambda wildcards: plan.code("figure", wildcards.figure),
        files=lambda wildcards: plan.figure_arguments(wildcards.figure),
    shell:
        "yuragi figure {output.table} {output.drawing} {params.files} --spec {params.spec:q} 2>&1 | tee {log}"
