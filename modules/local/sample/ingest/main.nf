// One task reads a bundle of samples. `samples`: their rows of the samplesheet, each with `input`, the place of its file or
// folder in `files`, which several may share, and `cells` and `annotation`, the places of these in `outlines` (-1: it has none).
process SAMPLE_INGEST {
    tag "${meta.id}"
    label 'process_single'
    memory { (1.GB + 8.MB * (meta.mb ?: 0)) * task.attempt }

    conda "${moduleDir}/environment.yml"
    container 'nf-semanticst/base:0.1.0'

    input:
    tuple val(meta), val(samples), path(files, stageAs: 'inputs/?/*'), path(outlines, stageAs: 'outlines/?/*')

    output:
    tuple val(meta), path('*.ingest.h5ad'), emit: samples
    tuple val(meta), path('*.kinds.json'), emit: kinds
    tuple val(meta), path('*.parts.png'), emit: parts, optional: true
    tuple val(meta), path('thumbnails/*'), emit: thumbnails, optional: true
    tuple val("${task.process}"), eval('cat versions.yml'), topic: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def staged = files instanceof List ? files : [files]
    def drawn = outlines instanceof List ? outlines : [outlines]
    def manifest = samples.collect { sample ->
        def given = ['cells', 'annotation'].findAll { column -> sample[column] >= 0 }.collectEntries { column -> [column, drawn[sample[column]].toString()] }
        sample.findAll { column, _value -> !(column in ['input', 'cells', 'annotation']) } + [path: staged[sample.input].toString()] + given
    }
    """
    cat <<'END_OF_MANIFEST' > manifest.json
    ${groovy.json.JsonOutput.toJson(manifest)}
    END_OF_MANIFEST

    sample_ingest.py --versions-of anndata --manifest manifest.json ${args}
    """

    stub:
    """
    touch ${samples.collect { sample -> "'${sample.sample}.ingest.h5ad'" }.join(' ')} '${samples[0].sample}.kinds.json' versions.yml
    """
}
