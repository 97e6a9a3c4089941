/*
 * From the rows of the checked samplesheet to files, and from many files to few tasks.
 */

// Rows of a checked samplesheet that are used, sorted by sample, each with `path` turned into a file. The file may be remote.
// `sheet` is the user's own table: it says where paths are relative to, and in which row a missing file stands.
def samplesOf(checked, sheet) {
    def rows = rowsOf(checked).used.sort { row -> row.sample }
    def samples = rows.collect { row -> row + fileColumns().findAll { name -> row[name] }.collectEntries { name -> [name, resolvedPath(row[name], sheet.parent)] } }
    def missing = [rows, samples].transpose().collectMany { row, sample ->
        fileColumns().findAll { name -> row[name] && isLocal(sample[name]) && !sample[name].exists() }.collect { name -> [row, name, sample[name]] }
    }
    if (missing) {
        def lines = sheet.readLines()
        def problems = missing
            .collect { row, name, path -> [rowOf(lines, [row.own_sample ?: row.sample, row[name]]), name, row[name], path] }
            .sort { problem -> problem[0] }
            .collect { row, name, found, path -> "  - ${sheet.name}, row ${row}, column '${name}': found '${found}': there is no ${path}" }
        def count = missing.size() == 1 ? '1 file of the samplesheet is missing' : "${missing.size()} files of the samplesheet are missing"
        exit(3, "${count} (paths are relative to the folder of the sheet):\n${problems.join('\n')}")
    }
    return samples
}

// Samples that the samplesheet leaves out, sorted by sample, as far as the report tells of them
def excludedOf(checked) {
    def told = ['sample', 'patient', 'batch', 'platform', 'exclude']
    def rows = rowsOf(checked).excluded.collect { row -> row.subMap(told) }
    if (rows) {
        log.info("Left out, as the samplesheet says: ${rows.collect { row -> "${row.sample} (${row.exclude})" }.join(', ')}")
    }
    return rows
}

// Sex of the patients, where the tables tell it: quality control compares it with their genes
def sexesOf(checked) {
    return rowsOf(checked).sexes ?: [:]
}

// The engine's own reader of CSV takes a comma in quotes for the next column
def rowsOf(checked) {
    return new groovy.json.JsonSlurper().parse(checked)
}

// Paths that a user's sheet names and that are not there, each with its full path. The check of the sheet tells them with
// all other problems; so the sheet is read here as it is, and what cannot be read is left to the check.
def missingPaths(sheet) {
    def folder = sheet.parent
    return pathsIn(sheet)
        .findAll { text -> !text.contains('://') } // would want the plugin of that storage
        .collectEntries { text -> [text, resolvedPath(text, folder)] }
        .findAll { _text, path -> isLocal(path) && !path.exists() }
        .collectEntries { text, path -> [text, path.toString()] }
}

def pathsIn(sheet) {
    try {
        def table = [',', ';', '\t'].collect { separator -> sheet.splitCsv(sep: separator, quote: '"', strip: true) }.find { rows -> rows && columnOf(rows[0], 'path') >= 0 }
        def columns = table ? fileColumns().collect { name -> columnOf(table[0], name) }.findAll { column -> column >= 0 } : []
        return table ? table.drop(1).collectMany { row -> columns.findAll { column -> row.size() > column }.collect { column -> row[column] } }.findAll().unique() : []
    }
    catch (Exception unreadable) {
        log.debug("The paths in ${sheet} are not looked up: ${unreadable.message}")
        return []
    }
}

def columnOf(header, column) {
    return header.findIndexOf { name -> name.replace('\uFEFF', '') == column }
}

// Columns of the samplesheet that name files
def fileColumns() {
    return ['path', 'cells', 'annotation']
}

// Number of the line of a table that has these values; the header is row 1
def rowOf(lines, values) {
    return 1 + lines.findIndexOf { line -> line.split(/[,;\t]/).collect { field -> field.replaceAll(/^[\s"]+|[\s"]+$/, '') }.containsAll(values) }
}

def resolvedPath(text, folder) {
    def absolute = text.startsWith('/') || text ==~ /^[A-Za-z][A-Za-z0-9+.-]*:\/\/.*/
    return absolute ? file(text, glob: false) : folder.resolve(text).normalize()
}

// What of a row matters for reading a sample and for its quality control. The rest (status, time point, ...) is for
// contrasts: a correction there must not read the samples again. Where a sample lies is the engine's business.
def readingSettings(row) {
    def columns = ['sample', 'patient', 'batch', 'study_part', 'platform', 'feature_type', 'spatial_unit', 'um_per_px', 'bin_size', 'table', 'fovs', 'part_column', 'part_value', 'outline_um_per_px', 'own_sample', 'own_patient']
    return row.findAll { column, _value -> column in columns || column.startsWith('qc_') }
}

// Rows that share a path, together: they are parts of one input, which is read once for all of them
def inputsOf(rows) {
    def byPlace = rows.groupBy { row -> isLocal(row.path) && row.path.exists() ? row.path.toRealPath() : row.path }
    return byPlace.values().collect { parts -> [name: parts[0].sample, path: parts[0].path, rows: parts] }
}

// Lists of [name, file] in bundles of at most `most` files and `megabytes`, sorted by name. What is larger than that, or whose
// size cannot be told, has a bundle of its own.
//
// Who shares a bundle follows from digests of the names: all are one bundle, and what does not fit is halved by the next bit
// of the digest. So a further sample changes the bundle that it comes into (or halves it), and no other.
def bundlesOf(entries, most, megabytes) {
    def limit = megabytes * 1024L * 1024L
    def sized = entries.collect { entry -> [entry: entry, bytes: sizeOf(entry[1], limit), digest: new BigInteger(entry[0].md5(), 16)] }
    def alone = sized.findAll { one -> one.bytes > limit }.collect { one -> [one] }
    return (alone + halved(sized.findAll { one -> one.bytes <= limit }, most, limit, 127))
        .collect { bundle -> bundle.collect { one -> one.entry }.sort { entry -> entry[0] } }
        .sort { bundle -> bundle[0][0] }
}

// `bit`: the one of the digest (of 128) that tells the halves apart
def halved(sized, most, limit, bit) {
    if (!sized) {
        return []
    }
    if (sized.size() == 1 || (sized.size() <= most && sized.sum { one -> one.bytes } <= limit)) {
        return [sized]
    }
    def (ones, zeros) = sized.split { one -> one.digest.testBit(bit) }
    return halved(ones, most, limit, bit - 1) + halved(zeros, most, limit, bit - 1)
}

def sizeOf(path, limit) {
    try {
        return path.isDirectory() ? filesBelow(path).sum(0L) { file -> file.size() } : path.size()
    }
    catch (IOException unknown) {
        log.debug("Size of ${path} is not known, it is prepared alone: ${unknown.message}")
        return limit + 1
    }
}

// Names, sizes and times of what lies in folders. The engine looks at a folder's own time only, which stays the same when
// a file in it is written anew: without this, a resumed run would keep the results of the old one.
def listing(paths) {
    def folders = paths.findAll { path -> path.isDirectory() }
    if (!folders) {
        return ''
    }
    def entries = folders.collectMany { folder ->
        filesBelow(folder).collect { file -> "${folder.relativize(file)} ${file.size()} ${file.lastModified()}" }
    }
    return entries.join('\n').md5()
}

// Name of a bundle: its first sample, which is in no other, and the number of further ones. No sample may have a + in its name.
def bundleName(names) {
    return names.size() == 1 ? names[0] : "${names[0]}+${names.size() - 1}"
}

// Megabytes that are read of the largest sample, rounded up; 0 where no size can be told. Of a folder only what readers look
// at counts, else a memory request would follow the size of its images.
def megabytesRead(paths) {
    def unread = ~/(?i).*(\.(tiff?|btf|jpe?g|png|svs|ndpi|czi)|transcripts.*|tx_file.*|boundaries.*|polygons.*)/
    def bytes = paths.collect { path ->
        try {
            path.isDirectory() ? filesBelow(path).findAll { file -> !(file.name ==~ unread) }.sum(0L) { file -> file.size() } : path.size()
        }
        catch (IOException unknown) {
            log.debug("Size of ${path} is not known: ${unknown.message}")
            0L
        }
    }
    return Math.ceil(bytes.max() / 1024 / 1024) as int
}

// What the values of the samples may be, each list once, as quality control is told. `records`: {sample}.kinds.json; a stub
// run has empty ones.
def sampleKinds(records) {
    def lists = records.collectMany { record -> record.size() ? new groovy.json.JsonSlurper().parse(record) : [] }
    return lists.collect { kinds -> kinds.join(',') }.unique().sort().join(':')
}

// What quality control kept, for the requests of later steps: cells of the cohort and of each sample, most features of a
// sample, and whether these are cell types or binary markers. `records`: {bundle}.qc.json; a stub run has empty ones.
def cohortSize(records) {
    def samples = records.collectMany { record -> record.size() ? new groovy.json.JsonSlurper().parse(record) : [] }
    return [
        cells: samples.sum(0) { sample -> sample.n_cells_kept },
        features: samples.collect { sample -> sample.n_features ?: 0 }.max() ?: 0,
        shares: samples.any { sample -> sample.feature_type in ['onehot', 'binary'] },
        by_sample: samples.collectEntries { sample -> [sample.sample, sample.n_cells_kept] },
    ]
}

// Part of a file name that is the sample's: {sample}.<verb>.h5ad
def sampleName(path) {
    return path.name.replaceFirst(/\.[a-z]+\.h5ad$/, '')
}

// No module that several others include may include one itself: the strict parser of 25.04 would run it once for each of
// them, and end at the second. So the two functions below stand in paths.nf, samples.nf and outputs.nf.
def isLocal(path) {
    return path.fileSystem == java.nio.file.FileSystems.getDefault()
}

// All files of a folder and of the folders in it, sorted
def filesBelow(folder) {
    def found = []
    folder.eachFileRecurse(groovy.io.FileType.FILES) { file -> found << file }
    return found.sort()
}
