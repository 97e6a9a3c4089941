// One contrast (meta.id) of the niches' abundances over patients.
process NICHE_ASSOCIATE {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'
    // by content: its tables are written anew whenever a sheet was touched, mostly with the same rows
    cache 'deep'

    input:
    tuple val(meta), path(counts), path(contacts), path(patches), path(cell_types), path(gene_sets), path(markers), path(regions), path(overview), path(base_clusterings), path(numbers), path(niches), path(names, stageAs: 'names/*'), path(contrasts), path(clinical), path(sheet)

    output:
    tuple val(meta), path("${meta.id}.csv")             , emit: table
    tuple val(meta), path("${meta.id}_*.csv")           , emit: checks, optional: true
    tuple val(meta), path("${meta.id}.association.json"), emit: association
    tuple val(meta), path('*.{pdf,png}')                , emit: figures, optional: true
    tuple val(meta), path('*_mqc.*')                    , emit: report
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def optional = [cell_types ? "--cell-types ${cell_types}" : '', gene_sets ? "--gene-sets ${gene_sets}" : '', regions ? "--regions ${regions}" : '', overview ? "--overview ${overview}" : '', names ? "--niche-names ${names}" : ''].join(' ')
    """
    niche_associate.py --versions-of statsmodels,lifelines,matplotlib --contrast '${meta.id}' \\
        --contrasts ${contrasts} \\
        --clinical ${clinical} \\
        --samplesheet ${sheet} \\
        --counts ${counts} \\
        --contacts ${contacts} \\
        --patches ${patches} \\
        --markers ${markers} \\
        --base-clusterings ${base_clusterings} \\
        --numbers ${numbers} \\
        --niches ${niches} \\
        ${optional} \\
        ${args}
    """

    stub:
    """
    touch '${meta.id}.csv' '${meta.id}.association.json' '${meta.id}_association_mqc.json'
    touch '${meta.id}_forest.png' '${meta.id}_forest.pdf' versions.yml
    """
}
