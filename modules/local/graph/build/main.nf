process GRAPH_BUILD {
    tag "${meta.id}"
    label 'process_low'
    memory { (2.GB + 24.KB * (meta.cells ?: 0)) * task.attempt }
    time { (1.h + 20.s * ((meta.cells ?: 0) / 1000)) * task.attempt }
    // by content: a further sample that is mapped leaves the components of the others as they are
    cache 'deep'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/torch:0.1.0'

    input:
    tuple val(meta), path(files, stageAs: 'samples/*')

    output:
    tuple val(meta), path('*.graphs.h5ad'), emit: samples
    tuple val(meta), path('*.graphs.json'), emit: metrics
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def prefix = task.ext.prefix ?: meta.id
    """
    graph_build.py --versions-of anndata,scipy samples/*.components.h5ad --prefix '${prefix}' \\
        --threads ${task.cpus} \\
        ${args}
    """

    stub:
    def prefix = task.ext.prefix ?: meta.id
    """
    for sample in samples/*.components.h5ad; do
        touch "\$(basename "\$sample" .components.h5ad).graphs.h5ad"
    done
    touch '${prefix}.graphs.json' versions.yml
    """
}
