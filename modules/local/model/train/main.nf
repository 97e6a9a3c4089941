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
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    model_train.py --versions-of torch,torch-geometric graphs/*.graphs.h5ad \\
        --threads ${task.cpus} \\
        ${args}
    """

    stub:
    """
    touch network.pt training.csv training.json training_mqc.json versions.yml
    """
}
