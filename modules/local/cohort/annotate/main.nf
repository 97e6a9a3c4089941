// What is published of the niches: the object and the niches of all cells, with names, and what the tables know of samples.
process COHORT_ANNOTATE {
    tag "${meta.id}"
    label 'process_single'
    memory { (1.GB + 2.KB * (meta.cells ?: 0)) * task.attempt }
    // by content: the tables of the cohort are written anew whenever a sheet was touched
    cache 'deep'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), path(cohort, stageAs: 'found/*'), path(niches, stageAs: 'found/*'), path(stability, stageAs: 'found/*'), path(clinical, stageAs: 'tables/*'), path(sheet, stageAs: 'tables/*'), path(names, stageAs: 'names/*'), path(earlier, stageAs: 'earlier/*')
    path schemas, stageAs: 'schemas/*'

    output:
    tuple val(meta), path('cohort.h5ad'), emit: cohort
    tuple val(meta), path('niches.csv.gz'), emit: niches
    tuple val(meta), path('niche_*.csv'), emit: tables
    tuple val(meta), path('*_mqc.*'), emit: report, optional: true
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def before = (earlier instanceof List ? earlier : [earlier]).collect { file -> file.toString() }
    def given = [
        names ? "--niche-names ${names}" : '',
        before.find { name -> name.endsWith('niches.csv.gz') } ? '--niche-earlier earlier/niches.csv.gz' : '',
        before.find { name -> name.endsWith('niche_names.csv') } ? '--earlier-names earlier/niche_names.csv' : '',
    ].findAll().join(' ')
    """
    cohort_annotate.py --versions-of anndata,pandas ${cohort} \\
        --niches ${niches} \\
        --stability ${stability} \\
        --samplesheet ${sheet} \\
        --clinical ${clinical} \\
        --schema-dir schemas ${given} \\
        ${args}
    """

    stub:
    """
    echo | gzip -n > niches.csv.gz
    touch cohort.h5ad niche_stability.csv niche_names.csv ${earlier ? 'niche_changes.csv niche_changes_mqc.json' : ''} versions.yml
    """
}
