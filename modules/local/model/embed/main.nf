process MODEL_EMBED {
    tag "${meta.id}"
    label 'process_medium'
    memory { (2.GB + 8.KB * (meta.cells ?: 0)) * task.attempt }
    time { (1.h + 4.s * ((meta.cells ?: 0) / 1000)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/torch:0.1.0'

    input:
    tuple val(meta), path(files, stageAs: 'graphs/*'), path(network, stageAs: 'network/*')

    output:
    tuple val(meta), path('cohort.embedding.h5ad'), emit: embedding
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def trained = network ? "--network ${network}" : ''
    """
    model_embed.py --versions-of torch,torch-geometric graphs/*.graphs.h5ad ${trained} \\
        --threads ${task.cpus} \\
        ${args}
    """

    stub:
    """
    touch cohort.embedding.h5ad versions.yml
    """
}
