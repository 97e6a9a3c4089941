process NICHE_CLUSTER {
    tag "${meta.id}"
    label 'process_medium'
    memory { (2.GB + 10.KB * (meta.cells ?: 0)) * task.attempt }
    time { (2.h + 20.s * ((meta.cells ?: 0) / 1000)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/torch:0.1.0'

    input:
    tuple val(meta), path(embedding), path(model, stageAs: 'model/*')

    output:
    tuple val(meta), path('niches.csv.gz')          , emit: niches
    tuple val(meta), path('niche_mixture.npz')      , emit: mixture
    tuple val(meta), path('niche_k.csv')            , emit: choice
    tuple val(meta), path('niche_stability.csv')    , emit: stability
    tuple val(meta), path('niche_fit.csv')          , emit: fit
    tuple val(meta), path('niche_cautions.json')    , emit: cautions
    tuple val(meta), path('niches_by_k.csv.gz')     , emit: members, optional: true
    tuple val(meta), path('niche_member_counts.csv'), emit: member_counts
    tuple val(meta), path('rare_tissue.csv')        , emit: rare, optional: true
    tuple val(meta), path('*_mqc.*')                , emit: report, optional: true
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def reference = model ? "--model ${model}" : ''
    """
    niche_cluster.py --versions-of scikit-learn,torch ${embedding} ${reference} \\
        --threads ${task.cpus} \\
        ${args}
    """

    stub:
    """
    echo | gzip -n > niches.csv.gz
    touch niche_mixture.npz niche_k.csv niche_stability.csv niche_fit.csv niche_cautions.json niche_member_counts.csv rare_tissue.csv niche_k_mqc.json versions.yml
    """
}
