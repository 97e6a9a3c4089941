process EXPLORER_BUILD {
    tag "${meta.id}"
    label 'process_single'
    memory { (2.GB + 4.KB * (meta.cells ?: 0)) * task.attempt }
    time { (1.h + 4.s * ((meta.cells ?: 0) / 1000)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), path(cohort), path(tables, stageAs: 'tables/*'), path(samplesheet), path(clinical), path(associations, stageAs: 'associations/*'), path(thumbnails, stageAs: 'thumbnails/*'), path(names, stageAs: 'names/*'), path(page, stageAs: 'page/*')

    output:
    tuple val(meta), path('explorer'), emit: explorer
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def given = ['--described tables']
    given += associations ? ['--associations associations'] : []
    given += clinical ? ["--clinical ${clinical}"] : []
    given += names ? ["--niche-names ${names}"] : []
    given += thumbnails ? ['--thumbnails thumbnails'] : []
    """
    explorer_build.py --versions-of anndata ${cohort} --page page --samplesheet ${samplesheet} ${given.join(' ')} --outdir explorer ${args}
    """

    stub:
    """
    mkdir -p explorer/data
    touch explorer/index.html explorer/data/cohort.js versions.yml
    """
}
