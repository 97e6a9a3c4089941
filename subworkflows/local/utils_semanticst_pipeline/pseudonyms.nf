/*
 * The key of a run with pseudonyms: which code stands for which patient and sample. It never lies in the output folder, which
 * is what people share.
 */

// Where the key is, or will be: --pseudonym_key, else beside the output folder
def keyPlace(outdir, given) {
    def results = file(outdir, glob: false).toAbsolutePath().normalize()
    def key = given ? file(given, glob: false).toAbsolutePath().normalize() : results.resolveSibling("${results.fileName}.pseudonyms.csv")
    if (key.startsWith(results)) {
        exit(2, "--pseudonym_key ${given}: the key lies in the output folder, and would be handed on with the results. Give it another place.")
    }
    return key
}

// The key that the check of the tables wrote, put to its place, for its owner only. It has all that an earlier one had.
def keepKey(place, key) {
    if (isLocal(place)) {
        java.nio.file.Files.createDirectories(place.parent)
        def partial = place.resolveSibling(".${place.fileName}.partial")
        java.nio.file.Files.deleteIfExists(partial)
        java.nio.file.Files.createFile(partial)
        partial.toFile().setReadable(false, false)
        partial.toFile().setReadable(true, true)
        java.nio.file.Files.writeString(partial, key.text)
        java.nio.file.Files.move(partial, place, java.nio.file.StandardCopyOption.REPLACE_EXISTING)
    }
    else {
        place.setText(key.text, 'UTF-8') // an object store shows nothing before it has all
    }
    log.info("Ids of patients and samples are replaced by codes. The key is ${place.toUriString()}: keep it apart from the results")
}

// No module that several others include may include one itself, so this stands here as well
def isLocal(path) {
    return path.fileSystem == java.nio.file.FileSystems.getDefault()
}
