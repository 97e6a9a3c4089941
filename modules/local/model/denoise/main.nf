process MODEL_DENOISE {
    tag "${meta.id}"
    label 'process_medium'
    memory { (2.GB + 8.B * (meta.cells ?: 0) * Math.min((meta.features ?: 0), 2000)) * task.attempt }
    time { (1.h + 4.s * ((meta.cells ?: 0) / 1000)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/torch:0.1.0'

    input:
    tuple val(meta), path(embedding), path(network, stageAs: 'network/*'), path(basis)

    output:
    tuple val(meta), path('*.denoised.h5ad'), emit: denoised
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    model_denoise.py --versions-of torch,torch-geometric ${embedding} \\
        --network ${network} \\
        --basis ${basis} \\
        --threads ${task.cpus} \\
        ${args}
    """

    stub:
    """
    touch stub.denoised.h5ad versions.yml
    """
}
