// What the run found: the first page of the report, and the same as JSON.
process REPORT_SUMMARY {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'
    // by content: tables of samples are written anew whenever a step before them was
    cache 'deep'

    input:
    tuple val(meta), path(qc), path(described, stageAs: 'described/*'), path(associations, stageAs: 'associations/*'), path(names, stageAs: 'names/*')

    output:
    tuple val(meta), path('summary.json')  , emit: summary
    tuple val(meta), path('*_mqc.*')       , emit: report
    tuple val(meta), path('niche_maps.png'), emit: maps, optional: true
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def found = [described ? '--described described' : '', associations ? '--associations associations' : '', names ? "--niche-names ${names}" : ''].join(' ')
    """
    report_summary.py --versions-of matplotlib --qc ${qc} ${found} ${args}
    """

    stub:
    """
    touch summary.json summary_page_mqc.json niche_maps_mqc.json versions.yml
    """
}
