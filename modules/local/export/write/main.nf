process EXPORT_WRITE {
    tag "${meta.id}"
    label 'process_single'
    memory { (2.GB + 4.KB * (meta.cells ?: 0)) * task.attempt }
    time { (1.h + 4.s * ((meta.cells ?: 0) / 1000)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), path(cohort), path(samples, stageAs: 'samples/*'), path(names, stageAs: 'names/*')

    output:
    tuple val(meta), path('exports'), emit: exports
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    export_write.py --versions-of anndata,shapely ${cohort} samples/*.qc.h5ad --outdir exports ${names ? "--niche-names ${names}" : ''} ${args}
    """

    stub:
    """
    mkdir -p exports/qupath
    touch exports/qupath/stub.niches.geojson versions.yml
    """
}
