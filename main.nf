#!/usr/bin/env nextflow
/*
 * nf-semanticst: tissue niches of a spatial-omics cohort, and which of them are associated with a clinical outcome.
 *
 * The only file that reads parameters: they are checked here and handed on.
 */

include { SEMANTICST            } from './workflows/semanticst'
include { readJson              } from './subworkflows/local/utils_semanticst_pipeline/parameters'
include { parameterProblems     } from './subworkflows/local/utils_semanticst_pipeline/parameters'
include { parameterHelp         } from './subworkflows/local/utils_semanticst_pipeline/parameters'
include { lateParameters        } from './subworkflows/local/utils_semanticst_pipeline/parameters'
include { changedParameters     } from './subworkflows/local/utils_semanticst_pipeline/parameters'
include { effectiveParameters   } from './subworkflows/local/utils_semanticst_pipeline/parameters'
include { pipelineName          } from './subworkflows/local/utils_semanticst_pipeline/provenance'
include { imageProblem          } from './subworkflows/local/utils_semanticst_pipeline/images'
include { parametersJson        } from './subworkflows/local/utils_semanticst_pipeline/provenance'
include { folderProblems        } from './subworkflows/local/utils_semanticst_pipeline/paths'
include { outdirTakenBy         } from './subworkflows/local/utils_semanticst_pipeline/outdir_lock'
include { releaseOutdir         } from './subworkflows/local/utils_semanticst_pipeline/outdir_lock'
include { openRecord            } from './subworkflows/local/utils_semanticst_pipeline/outputs'
include { closeRecord           } from './subworkflows/local/utils_semanticst_pipeline/outputs'
include { runSummary            } from './subworkflows/local/utils_semanticst_pipeline/messages'
include { completionMessage     } from './subworkflows/local/utils_semanticst_pipeline/messages'
include { parameterErrorMessage } from './subworkflows/local/utils_semanticst_pipeline/messages'

workflow {
    main:
    def schema = readJson("${projectDir}/nextflow_schema.json")
    def words = readJson("${projectDir}/assets/parameter_words.json")

    if (params.help && params.help != 'false') {
        println(parameterHelp(schema, params.help, words))
    }
    else if (params.version && params.version != 'false') {
        println("${pipelineName()} ${workflow.manifest.version}")
    }
    else {
        def problems = parameterProblems(params, schema, words) + lateParameters(params, workflow.session.config.process.ext?.settled) + folderProblems(words.folders)
        if (problems) {
            exit(2, parameterErrorMessage(problems, words.problems))
        }
        def images = workflow.preview ? null : imageProblem(workflow.containerEngine, workflow.manifest.version, workflow.session.config)
        if (images) {
            exit(2, images)
        }
        def changed = changedParameters(params, schema)
        def settings = effectiveParameters(params, schema)
        log.info(runSummary(settings, changed))

        // a preview makes nothing, so it leaves the folder and its list as they are
        def preview = workflow.preview
        if (!preview) {
            def taken = outdirTakenBy(settings.outdir)
            if (taken) {
                exit(2, taken)
            }
            openRecord(settings.outdir, parametersJson(settings))
        }

        SEMANTICST(settings, changed)

        def published = Collections.synchronizedList([])
        def versions = Collections.synchronizedList([])
        SEMANTICST.out.ch_published.subscribe { entry -> published << entry }
        SEMANTICST.out.ch_versions.subscribe { text -> versions << text }

        workflow.onComplete = {
            def found = preview ? [damaged: [], left: []] : closeRecord(settings.outdir, published, versions.join(''))
            log.info(completionMessage(settings, found))
            releaseOutdir(settings.outdir)
            if (workflow.success && found.damaged) {
                workflow.session.abort() // the only way from here to an exit code that is not 0, after the reports are written
            }
        }
    }
}
