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
    tuple val("${task.process}"), val('python'), eval('python3 -c "import platform; print(platform.python_version())"'), topic: versions
    tuple val("${task.process}"), val('torch'), eval('python3 -c "from importlib.metadata import version; print(version(\'torch\'))"'), topic: versions
    tuple val("${task.process}"), val('torch-geometric'), eval('python3 -c "from importlib.metadata import version; print(version(\'torch-geometric\'))"'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def trained = network ? "--network ${network}" : ''
    """
    model_embed.py graphs/*.graphs.h5ad ${trained} \\
        --threads ${task.cpus} \\
        ${args}
    """

    stub:
    """
    touch cohort.embedding.h5ad
    """
}
