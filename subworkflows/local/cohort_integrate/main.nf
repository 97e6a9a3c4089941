/*
 * One network for all samples, one embedding, one set of niches.
 */

include { MODEL_TRAIN     } from '../../../modules/local/model/train'
include { MODEL_EMBED     } from '../../../modules/local/model/embed'
include { MODEL_DENOISE   } from '../../../modules/local/model/denoise'
include { NICHE_CLUSTER   } from '../../../modules/local/niche/cluster'
include { COHORT_ASSEMBLE } from '../../../modules/local/cohort/assemble'
include { COHORT_MIXING   } from '../../../modules/local/cohort/mixing'
include { codeDigest      } from '../utils_semanticst_pipeline/provenance'
include { publishedIn     } from '../utils_semanticst_pipeline/outputs'

// Whether there is a network to train: where --train_mode is auto, niches of panels of cell types and binary markers (`shares`)
// do without
def isTrained(mode, shares, denoise) {
    return mode == 'auto' ? (!shares || denoise) : mode != 'none'
}

workflow COHORT_INTEGRATE {
    take:
    samples // list of {sample}.qc.h5ad, sorted by name
    size    // map: cells and features of the cohort
    graphs  // list of {sample}.graphs.h5ad, sorted by name
    basis   // cohort.basis.npz
    model   // trained model to map the samples onto, or []: train one
    mode    // --train_mode
    denoise // whether denoised expression is asked for

    main:
    def embed_code = codeDigest('MODEL_EMBED')
    def cluster_code = codeDigest('NICHE_CLUSTER')
    def assemble_code = codeDigest('COHORT_ASSEMBLE')
    ch_meta = size.map { n -> [id: 'cohort', cells: n.cells, features: n.features] }
    // one entry: network.pt, the model that has it, or [] where there is none
    ch_network = channel.empty()
    ch_training = channel.empty()
    ch_outputs = channel.empty()

    if (model) {
        ch_network = channel.of([model])
    }
    else {
        def train_code = codeDigest('MODEL_TRAIN')
        ch_trained = size.flatMap { n -> isTrained(mode, n.shares, denoise) ? ['cohort'] : [] }
        MODEL_TRAIN(
            ch_trained
                .combine(ch_meta)
                .combine(graphs.map { files -> [files] })
                .map { _id, meta, files -> [meta + [code: train_code], files] }
        )
        ch_network = MODEL_TRAIN.out.network
            .map { _meta, network -> [network] }
            .mix(size.flatMap { n -> isTrained(mode, n.shares, denoise) ? [] : [[[]]] })
        ch_training = MODEL_TRAIN.out.report.map { _meta, files -> files }
        ch_outputs = publishedIn('integration', MODEL_TRAIN.out.losses).mix(publishedIn('integration', MODEL_TRAIN.out.training))
    }

    MODEL_EMBED(
        ch_meta
            .combine(graphs.map { files -> [files] })
            .combine(ch_network)
            .map { meta, files, network -> [meta + [code: embed_code], files, network] }
    )

    if (denoise) {
        def denoise_code = codeDigest('MODEL_DENOISE')
        MODEL_DENOISE(
            MODEL_EMBED.out.embedding
                .combine(ch_network)
                .combine(basis)
                .map { meta, embedding, network, components -> [meta + [code: denoise_code], embedding, network, components] }
        )
        ch_outputs = ch_outputs.mix(publishedIn('integration/denoised', MODEL_DENOISE.out.denoised))
    }

    NICHE_CLUSTER(MODEL_EMBED.out.embedding.map { meta, embedding -> [meta + [code: cluster_code], embedding, model] })

    ch_parts = MODEL_EMBED.out.embedding
        .map { _meta, embedding -> ['cohort', embedding] }
        .join(NICHE_CLUSTER.out.niches.map { meta, niches -> [meta.id, niches] })
        .join(basis.map { file -> ['cohort', file] })
        .join(ch_network.map { entry -> ['cohort', entry[0]] })
        .join(NICHE_CLUSTER.out.mixture.map { meta, mixture -> [meta.id, mixture] })
    COHORT_ASSEMBLE(
        samples
            .map { files -> ['cohort', files] }
            .join(ch_parts)
            .combine(ch_meta)
            .map { entry -> [entry[-1] + [code: assemble_code]] + entry[1..-2] }
    )

    def mixing_code = codeDigest('COHORT_MIXING')
    COHORT_MIXING(COHORT_ASSEMBLE.out.cohort.map { meta, cohort -> [meta + [code: mixing_code], cohort] })

    ch_cohort = COHORT_ASSEMBLE.out.cohort.map { _meta, cohort -> cohort }
    ch_niches = NICHE_CLUSTER.out.niches.map { _meta, niches -> niches }
    ch_stability = NICHE_CLUSTER.out.stability.map { _meta, table -> table }
    ch_members = NICHE_CLUSTER.out.member_counts.map { _meta, counts -> counts }
    ch_numbers = NICHE_CLUSTER.out.choice.map { _meta, numbers -> numbers }
    ch_cautions = NICHE_CLUSTER.out.cautions.map { _meta, told -> told }
    ch_report = ch_training.mix(
        NICHE_CLUSTER.out.report.map { _meta, files -> files },
        COHORT_MIXING.out.report.map { _meta, files -> files },
    )

    ch_outputs = ch_outputs.mix(
        publishedIn('niches', NICHE_CLUSTER.out.choice),
        publishedIn('niches', NICHE_CLUSTER.out.fit),
        publishedIn('niches', NICHE_CLUSTER.out.members),
        publishedIn('niches', NICHE_CLUSTER.out.member_counts),
        publishedIn('niches', NICHE_CLUSTER.out.rare),
        publishedIn('integration', COHORT_ASSEMBLE.out.model),
        publishedIn('integration', COHORT_MIXING.out.map),
        publishedIn('integration', COHORT_MIXING.out.mixing),
    )

    emit:
    ch_cohort  // cohort.h5ad
    ch_niches  // niches.csv.gz
    ch_stability // niche_stability.csv
    ch_members // niche_member_counts.csv
    ch_numbers // niche_k.csv
    ch_cautions // niche_cautions.json
    ch_report  // *_mqc.* files
    ch_outputs // [folder below --outdir, files] of what is published
}
