process MODEL_TRAIN {
    tag "${meta.id}"
    label 'process_high'
    label 'process_gpu'
    memory { (2.GB + 16.KB * (meta.cells ?: 0)) * task.attempt }
    time { (1.h + 20.s * ((meta.cells ?: 0) / 1000)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/torch:0.1.0'

    input:
    tuple val(meta), path(files, stageAs: 'graphs/*')

    output:
    tuple val(meta), path('network.pt')   , emit: network
    tuple val(meta), path('training.csv') , emit: losses
    tuple val(meta), path('training.json'), emit: training
    tuple val(meta), path('*_mqc.*')      , emit: report
    tuple val("${task.process}"), val('python'), eval('python3 -c "import platform; print(platform.python_version())"'), topic: versions
    tuple val("${task.process}"), val('torch'), eval('python3 -c "from importlib.metadata import version; print(version(\'torch\'))"'), topic: versions
    tuple val("${task.process}"), val('torch-geometric'), eval('python3 -c "from importlib.metadata import version; print(version(\'torch-geometric\'))"'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    model_train.py graphs/*.graphs.h5ad \\
        --threads ${task.cpus} \\
        ${args}
    """

    stub:
    """
    touch network.pt training.csv training.json training_mqc.json
    """
}
