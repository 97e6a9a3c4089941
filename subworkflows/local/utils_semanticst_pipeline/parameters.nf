/*
 * Parameters against nextflow_schema.json: the check, the help and the summary are three walks over the same file.
 * A parameter from the command line may arrive as text whatever its type is, so values are coerced first.
 */

def readSchema(path) {
    return new groovy.json.JsonSlurper().parse(file(path, glob: false).toFile())
}

// Name -> description of every parameter, in the schema's order
def allParameters(schema) {
    return schema['$defs'].values().inject([:]) { all, group -> all + group.properties }
}

// All that is wrong with the given parameters, one sentence each; an empty list if nothing is
def parameterProblems(given, schema) {
    def known = allParameters(schema)
    def ignored = (given.validation_ignore_params ?: '').toString().tokenize(', ')
    def required = schema['$defs'].values().collectMany { group -> group.required ?: [] }
    def problems = []
    unknownNames(given.keySet(), known.keySet(), ignored).each { name ->
        def near = nearestName(name, known.keySet())
        problems << "--${name}: there is no such parameter" + (near ? ", did you mean --${near}?" : ' (see --help)')
    }
    known.each { name, rule ->
        def value = given[name]
        if (value == null || value == '') {
            if (name in required) {
                problems << "--${name} is missing: ${rule.description}"
            }
        }
        else {
            def problem = valueProblem(value, rule)
            if (problem) {
                problems << "--${name} ${shown(value)}: ${problem}"
            }
        }
    }
    return problems + combinationProblems(given)
}

// What no rule about a single parameter can say
def combinationProblems(given) {
    def problems = []
    def simulate = isOn(given.simulate)
    if (!simulate && !given.input) {
        problems << '--input is missing: give a samplesheet, or --simulate for a simulated cohort'
    }
    if (simulate) {
        ['input', 'clinical', 'contrasts'].findAll { name -> given[name] }.each { name ->
            problems << "--${name} cannot be combined with --simulate, which makes its own"
        }
    }
    def shortcuts = ['clinical_group', 'clinical_time', 'clinical_event'].findAll { name -> given[name] }
    if (shortcuts && !given.clinical && !simulate) {
        problems << "--${shortcuts[0]} needs --clinical, the table that has this column"
    }
    if ('gene_sets' in (given.clinical_features ?: '').toString().tokenize(',') && !given.clinical_gene_sets) {
        problems << '--clinical_features gene_sets needs --clinical_gene_sets, the file that holds them'
    }
    if (!given.clinical_time != !given.clinical_event) {
        def missing = given.clinical_time ? 'clinical_event' : 'clinical_time'
        problems << "--${missing} is missing: survival needs both --clinical_time and --clinical_event"
    }
    if (given.clinical_event_value != null && !given.clinical_event) {
        problems << '--clinical_event_value needs --clinical_event'
    }
    if (given.clinical_event && (given.clinical_event_value == null || given.clinical_event_value == '')) {
        // tables come in both polarities (1 = event, 1 = censored): guessing would turn the result round
        problems << "--clinical_event_value is missing: which value of '${given.clinical_event}' means that the event happened?"
    }
    return problems
}

// What is wrong with one value under one rule of the schema; null if nothing is
def valueProblem(value, rule) {
    def types = rule.type instanceof List ? rule.type : [rule.type]
    def typed = types.collect { type -> coerced(value, type) }.find { candidate -> candidate != null }
    if (typed == null) {
        return value == true ? 'a value is expected after it' : "${article(types[-1])} is expected"
    }
    if (rule['enum'] && !(typed in rule['enum'])) {
        return "one of ${rule['enum'].join(', ')} is expected"
    }
    if (rule.minimum != null && typed < rule.minimum) {
        return "at least ${rule.minimum} is expected"
    }
    if (rule.exclusiveMinimum != null && typed <= rule.exclusiveMinimum) {
        return "more than ${rule.exclusiveMinimum} is expected"
    }
    if (rule.maximum != null && typed > rule.maximum) {
        return "at most ${rule.maximum} is expected"
    }
    if (rule.pattern && !(typed ==~ rule.pattern)) {
        return patternProblem(rule)
    }
    return rule.exists ? existenceProblem(typed) ?: contentProblem(typed, rule.mimetype) : null
}

def patternProblem(rule) {
    def ending = rule.pattern =~ /\\\.\(?([a-z|0-9]+)\)?\$$/
    return ending.find() ? "a file name ending in .${ending.group(1).replace('|', ', .')} is expected" : "not as expected: ${rule.description}"
}

def existenceProblem(path) {
    try {
        return file(path, glob: false).exists() ? null : 'there is no such file'
    }
    catch (Exception unreadable) {
        return "cannot be looked up: ${unreadable.message}"
    }
}

// A file that only the last step reads is looked into at once: nobody wants to hear of a missing colon after the training
def contentProblem(path, mimetype) {
    if (mimetype != 'application/yaml') {
        return null
    }
    try {
        // the tree only: values may have tags that only their reader knows
        def tree = new org.yaml.snakeyaml.Yaml().compose(new StringReader(file(path, glob: false).text))
        return tree == null || tree instanceof org.yaml.snakeyaml.nodes.MappingNode ? null : 'YAML that maps names to values is expected'
    }
    catch (Exception unreadable) {
        return "cannot be read as YAML: ${unreadable.message.readLines()*.trim().join(' ')}"
    }
}

// The value in the wanted type, or null when it cannot be read as such
def coerced(value, type) {
    def text = value.toString()
    if (type == 'boolean') {
        return text in ['true', 'false'] ? text == 'true' : null
    }
    if (type == 'integer') {
        return text ==~ /-?\d+/ ? text.toBigInteger() : null
    }
    if (type == 'number') {
        return text.isNumber() ? text.toBigDecimal() : null
    }
    return value instanceof Boolean || value instanceof Map || value instanceof List ? null : text
}

def isOn(value) {
    return value != null && value.toString() == 'true'
}

def article(type) {
    return [integer: 'a whole number', number: 'a number', boolean: 'true or false'][type] ?: 'a text'
}

def shown(value) {
    return value == true ? '' : "'${value}'"
}

// The engine keeps --my-name also as myName: one mistake, reported once
def unknownNames(names, known, ignored) {
    def unknown = names.findAll { name -> !(name in known) && !(name in ignored) }
    def dashed = unknown.findAll { name -> name.contains('-') }
    def doubles = dashed.collect { name -> name.replaceAll(/-([a-zA-Z0-9])/) { match -> match[1].toUpperCase() } }
    return (unknown - doubles).sort()
}

def nearestName(name, known) {
    def wanted = bare(name)
    def near = known.min { candidate -> distance(wanted, bare(candidate)) }
    def contained = known.findAll { candidate -> wanted.size() > 3 && bare(candidate).contains(wanted) }
    if (distance(wanted, bare(near)) <= Math.max(2, wanted.size().intdiv(4))) {
        return near
    }
    return contained.size() == 1 ? contained[0] : null
}

def bare(name) {
    return name.toLowerCase().replaceAll('[-_]', '')
}

// Levenshtein: insertions, deletions and substitutions
def distance(a, b) {
    def row = (0..b.size()).toList()
    (1..<(a.size() + 1)).each { i ->
        def previous = row
        row = [i]
        (1..<(b.size() + 1)).each { j ->
            def substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
            row << [substitution, previous[j] + 1, row[j - 1] + 1].min()
        }
    }
    return row[-1]
}

// All parameters by group, or all about one of them
def parameterHelp(schema, topic) {
    def known = allParameters(schema)
    if (!(topic.toString() in ['true', 'false'])) {
        def name = topic.toString().replaceAll('^-+', '').replace('-', '_')
        if (!known.containsKey(name)) {
            def near = nearestName(name, known.keySet())
            return "There is no parameter --${name}" + (near ? ", did you mean --${near}?" : '; --help lists all of them')
        }
        return oneParameterHelp(name, known[name])
    }
    def width = known.findAll { _name, rule -> !rule.hidden }.keySet()*.size().max()
    def lines = ['Usage: nextflow run <this folder> --input samplesheet.csv --outdir results -profile docker [parameters]', '']
    schema['$defs'].values().each { group ->
        lines << "${group.title}: ${group.description}"
        group.properties.findAll { _name, rule -> !rule.hidden }.each { name, rule ->
            lines << "  --${name.padRight(width)}  ${rule.description}" + (rule.default == null ? '' : " [${rule.default}]")
        }
        lines << ''
    }
    lines << 'All about one parameter: --help NAME'
    return lines.join('\n')
}

def oneParameterHelp(name, rule) {
    def lines = ["--${name}", "  ${rule.description}"]
    if (rule.help_text) {
        lines << "  ${rule.help_text}"
    }
    lines << "  type: ${[rule.type].flatten().join(' or ')}"
    if (rule['enum']) {
        lines << "  one of: ${rule['enum'].join(', ')}"
    }
    if (rule.minimum != null || rule.maximum != null) {
        lines << "  range: ${rule.minimum == null ? '' : rule.minimum} to ${rule.maximum == null ? '' : rule.maximum}"
    }
    lines << "  default: ${rule.default == null ? 'none' : rule.default}"
    return lines.join('\n')
}

// Group title -> parameters that differ from their default
def changedParameters(given, schema) {
    return schema['$defs'].values().collectEntries { group ->
        def changed = recorded(group.properties).findAll { name, rule ->
            def value = given[name]
            value != null && value != '' && value.toString() != rule.default.toString()
        }
        [group.title, changed.collectEntries { name, _rule -> [name, given[name]] }]
    }.findAll { _title, changed -> changed }
}

// Every parameter of the schema in its own type, for the record
def effectiveParameters(given, schema) {
    return recorded(allParameters(schema)).collectEntries { name, rule ->
        def value = given[name]
        def types = [rule.type].flatten()
        [name, value == null ? null : types.collect { type -> coerced(value, type) }.find { candidate -> candidate != null }]
    }
}

// Without what differs in each run and says nothing about it
def recorded(rules) {
    return rules.findAll { _name, rule -> rule.recorded != false }
}

// Parameters that a file given by -c set after the configuration had read them. `settled`: what it found then, `said`: text of
// the command line and of the file of -params-file, whose parameters are in time (for the strict parser of 25.04 they are not,
// but it is none of the user's doing)
def lateParameters(given, settled, said) {
    return (settled ?: [:])
        .findAll { name, value -> given[name] != value && !(said =~ "(--|[\"'\\s{,])${name}[\"']?[\\s=:]").find() }
        .collect { name, _value ->
            "--${name} '${given[name]}' stands in a file given by -c, which is read too late for it: write it on the command line or into a file for -params-file"
        }
}

def saidBefore() {
    def named = workflow.commandLine =~ /-params-file[ =]+('[^']+'|\S+)/
    return workflow.commandLine + '\n' + (named.find() ? file(named.group(1).replace("'", ''), glob: false).text : '')
}
