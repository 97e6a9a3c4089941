// Reads the versions that all other steps reported, so it must not report to that topic itself: the run would never end.
process REPORT_METHODS {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'
    // by content: both files are written anew by every run
    cache 'deep'

    input:
    tuple val(meta), path(versions), path(parameters), path(qc), path(features), path(numbers), path(associations, stageAs: 'associations/*'), path(template)

    output:
    tuple val(meta), path('methods_mqc.json'), emit: report

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def records = [
        features ? "--features ${features}" : '',
        numbers ? "--numbers ${numbers}" : '',
        associations ? '--associations associations' : '',
    ].join(' ')
    """
    report_methods.py \\
        --versions ${versions} \\
        --params ${parameters} \\
        --qc ${qc} \\
        ${records} \\
        --template ${template} \\
        ${args}
    """

    stub:
    """
    touch methods_mqc.json
    """
}
