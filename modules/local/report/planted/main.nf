// What a simulated cohort had planted in it, and what was found.
process REPORT_PLANTED {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), path(planted, stageAs: 'planted'), path(niches), path(associations, stageAs: 'associations/*'), path(names, stageAs: 'names/*')

    output:
    tuple val(meta), path('planted.json'), emit: planted
    tuple val(meta), path('*_mqc.*')     , emit: report
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    report_planted.py --versions-of scikit-learn,pandas \\
        --planted planted \\
        --niches ${niches} ${names ? "--niche-names ${names}" : ''} \\
        ${args} \\
        --associations ${associations}
    """

    stub:
    """
    touch planted.json planted_mqc.json versions.yml
    """
}
