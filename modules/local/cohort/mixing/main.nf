// A map of the cells before and after batch correction, and how batches mix.
process COHORT_MIXING {
    tag "${meta.id}"
    label 'process_single'
    memory { (2.GB + 1.KB * (meta.cells ?: 0)) * task.attempt }
    time { 2.h * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), path(cohort)

    output:
    tuple val(meta), path('integration_map.csv.gz'), emit: map
    tuple val(meta), path('integration_mixing.csv'), emit: mixing
    tuple val(meta), path('*_mqc.*')               , emit: report
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    cohort_mixing.py --versions-of scikit-learn,harmonypy ${cohort} ${args}
    """

    stub:
    """
    touch integration_map.csv.gz integration_mixing.csv integration_map_mqc.json versions.yml
    """
}
