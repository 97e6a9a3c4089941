// All contrasts of a run side by side.
process NICHE_COLLECT {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'
    // by content, as the contrasts: their tables are written anew whenever a sheet was touched
    cache 'deep'

    input:
    tuple val(meta), path(records, stageAs: 'records/*'), path(counts), path(clinical), path(sheet), path(used), path(names, stageAs: 'names/*')

    output:
    tuple val(meta), path('{tests,flow,baseline}.csv'), emit: tables
    tuple val(meta), path('*_mqc.*')                  , emit: report
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    niche_collect.py --versions-of pandas,statsmodels ${records} \\
        --samplesheet ${sheet} \\
        --used ${used} \\
        --clinical ${clinical} \\
        --counts ${counts} ${names ? "--niche-names ${names}" : ''} \\
        ${args}
    """

    stub:
    """
    touch tests.csv flow.csv baseline.csv contrasts_flow_mqc.json versions.yml
    """
}
