# Every figure is a table, then a drawing of that table; both are in the report. Snakemake fills no wildcards into the path of a
# caption, so each figure is a rule of its own.

for name in plan.figures():

    rule:
        name:
            f"figure_{name}"
        input:
            **plan.figure_inputs(name),
        output:
            table=report(
                f"{plan.results}/figures/{name}.csv",
                caption="../report/table.rst",
                category="Figures",
                subcategory=name,
                labels={"figure": name, "shows": "table"},
            ),
            drawing=report(
                f"{plan.results}/figures/{name}.svg",
                caption=plan.caption(name),
                category="Figures",
                subcategory=name,
                labels={"figure": name, "shows": "drawing"},
            ),
        log:
            f"{plan.results}/logs/figure/{name}.log",
        benchmark:
            f"{plan.results}/benchmarks/figure/{name}.tsv"
        params:
            spec=plan.spec("figure", name),
            code=plan.code("figure", name),
            files=plan.figure_arguments(name),
            title=plan.figure_title(name),
        shell:
            "yuragi figure {output.table} {output.drawing} {params.files} --spec {params.spec:q} 2>&1 | tee {log}"
