process NICHE_DESCRIBE {
    tag "${meta.id}"
    label 'process_single'
    memory { (2.GB + 8.KB * (meta.cells ?: 0) + 200.KB * (meta.features ?: 0)) * task.attempt }
    time { (1.h + 4.s * ((meta.cells ?: 0) / 1000)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), path(cohort), path(gene_sets, stageAs: 'gene_sets/*'), path(names, stageAs: 'names/*'), path(thumbnails, stageAs: 'thumbnails/*')

    output:
    tuple val(meta), path('niche_counts.csv')  , emit: counts
    tuple val(meta), path('niche_contacts.csv'), emit: contacts
    tuple val(meta), path('{niche,rare}_*.csv'), emit: tables
    tuple val(meta), path('maps/*')            , emit: maps
    tuple val(meta), path('*_mqc.*')           , emit: report
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def given = gene_sets ? ["--clinical-gene-sets ${gene_sets}"] : []
    given += names ? ["--niche-names ${names}"] : []
    given += thumbnails ? ['--thumbnails thumbnails'] : []
    """
    niche_describe.py --versions-of anndata,matplotlib,scipy ${cohort} ${given.join(' ')} \\
        --threads ${task.cpus} \\
        ${args}
    """

    stub:
    """
    mkdir maps
    touch maps/stub.niches.png niche_counts.csv niche_contacts.csv niche_patches.csv niche_markers.csv niche_scores.csv
    touch niche_composition_mqc.json niche_markers_mqc.json niche_scores_mqc.json sample_overview_mqc.json versions.yml
    """
}
