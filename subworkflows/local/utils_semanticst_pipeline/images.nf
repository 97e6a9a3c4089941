/*
 * Where the images of the steps come from. The pipeline owns no public name: what is neither here nor in a registry that
 * was named is refused before anything asks a public one for it.
 */

// What is wrong with the images of a run, in words; null if nothing is. `engine`: the one that runs them, `version`: theirs
def imageProblem(engine, version, config) {
    def settings = config[engine] ?: [:]
    def named = settings.registry && settings.registry != 'localhost'
    // steps that run in no image, in images of the user's own, or in those of a registry
    if (!engine || config.process.container || named) {
        return null
    }
    def names = ["nf-semanticst/base:${version}", "nf-semanticst/torch:${version}", config.process['withLabel:process_gpu']?.container].findAll()
    if (engine in ['singularity', 'apptainer']) {
        def missing = missingFiles(engine, settings, names)
        return missing ? imageMessage(missing, engine) : null
    }
    def executor = config.process.executor ?: 'local'
    if (!settings.registry || executor in ['awsbatch', 'google-batch', 'azurebatch', 'k8s']) {
        return imageMessage("${engine}.registry does not say where the machines that run the steps find them", engine)
    }
    // the nodes of a cluster may have them; 'localhost' is no registry, so nothing is fetched where they do not
    def asked = executor == 'local' && settings.sudo.toString() != 'true'
    def missing = asked ? names.collect { name -> "localhost/${name}" }.findAll { name -> !isLoaded(engine, settings, name) } : []
    return missing ? imageMessage("${engine} does not have ${missing.join(', ')}", engine) : null
}

def missingFiles(engine, settings, names) {
    def folders = imageFolders(engine, settings)
    def missing = names
        .collect { name -> "${name.replaceAll('[:/]', '-')}.img" }
        .findAll { name -> !folders.any { folder -> file("${folder}/${name}", glob: false).exists() } }
    return missing ? "${missing.join(', ')} ${missing.size() == 1 ? 'is' : 'are'} not in ${folders.join(' or ')}" : null
}

// Folders where the engine looks for image files, as in its documentation
def imageFolders(engine, settings) {
    def prefix = engine.toUpperCase()
    def named = [settings.libraryDir, System.getenv("NXF_${prefix}_LIBRARYDIR"), settings.cacheDir, System.getenv("NXF_${prefix}_CACHEDIR")]
    return (named + System.getenv("${prefix}_PULLFOLDER") + "${workflow.workDir}/singularity").findAll().unique()
}

def isLoaded(engine, settings, name) {
    try {
        def asked = ([engine] + (settings.engineOptions ?: '').tokenize() + ['image', 'inspect', '--format', '{{.Id}}', name]).execute()
        asked.waitForOrKill(60000)
        return asked.exitValue() == 0
    }
    catch (IOException missing) {
        log.debug("${engine} cannot be asked for ${name}: ${missing.message}")
        return false
    }
}

def imageMessage(what, engine) {
    def load = engine in ['singularity', 'apptainer']
        ? "take the image files of the archive of containers/bundle.py: export NXF_${engine.toUpperCase()}_LIBRARYDIR=FOLDER"
        : "load those of the archive of containers/bundle.py: ${engine} load -i images/IMAGE.tar"
    return """\
The images of the steps are in no public registry, and ${what}. Either
  - build them: containers/build.sh; with --push REGISTRY they go to a registry of yours as well, which a file given by -c
    then names: ${engine}.registry = 'REGISTRY'
  - or ${load}
docs/deployment.md, Images, has the steps."""
}
