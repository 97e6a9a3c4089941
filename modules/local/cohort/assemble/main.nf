process COHORT_ASSEMBLE {
    tag "${meta.id}"
    label 'process_single'
    memory { (2.GB + 10.KB * (meta.cells ?: 0)) * task.attempt }
    time { (1.h + 4.s * ((meta.cells ?: 0) / 1000)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/torch:0.1.0'

    input:
    tuple val(meta), path(files, stageAs: 'samples/*'), path(embedding), path(niches), path(basis), path(network, stageAs: 'network/*'), path(mixture)

    output:
    tuple val(meta), path('cohort.h5ad'), emit: cohort
    tuple val(meta), path('model.pt')   , emit: model
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def trained = network ? "--network ${network}" : ''
    """
    cohort_assemble.py --versions-of anndata,torch samples/*.qc.h5ad \\
        --embedding ${embedding} \\
        --niches ${niches} \\
        --basis ${basis} \\
        ${trained} \\
        --mixture ${mixture} \\
        ${args}
    """

    stub:
    """
    touch cohort.h5ad model.pt versions.yml
    """
}
