/*
 * Parameters against nextflow_schema.json: the check, the help and the summary are three walks over the same file. What they
 * say stands in assets/parameter_words.json: the launcher (launcher/parameters.py) makes the same check before the engine
 * starts, in the same words, and a test holds the two together.
 * A parameter from the command line may arrive as text whatever its type is, so values are coerced first.
 */

def readJson(path) {
    return new groovy.json.JsonSlurper().parse(file(path, glob: false).toFile())
}

// Name -> description of every parameter, in the schema's order
def allParameters(schema) {
    return schema['$defs'].values().inject([:]) { all, group -> all + group.properties }
}

// A sentence of parameter_words.json with its {names} filled in
def filled(template, values) {
    return template.replaceAll(/\{(\w+)\}/) { match -> values[match[1]].toString() }
}

// All that is wrong with the given parameters, one sentence each; an empty list if nothing is
def parameterProblems(given, schema, words) {
    def known = allParameters(schema)
    def ignored = (given.validation_ignore_params ?: '').toString().tokenize(', ')
    def required = schema['$defs'].values().collectMany { group -> group.required ?: [] }
    def problems = []
    unknownNames(given.keySet(), known.keySet(), ignored).each { name ->
        def near = nearestName(name, known.keySet())
        problems << filled(words.unknown, [name: name]) + (near ? filled(words.meant, [near: near]) : words.see_help)
    }
    known.each { name, rule ->
        def value = given[name]
        if (isAbsent(value)) {
            if (name in required) {
                problems << filled(words.missing, [name: name, description: rule.description])
            }
        }
        else {
            def problem = valueProblem(value, rule, words.expected)
            if (problem) {
                problems << filled(words.value, [name: name, shown: shown(value), problem: problem])
            }
        }
    }
    // what no rule about a single parameter can say
    return problems + words.combinations.findAll { rule -> holds(rule, given) }.collect { rule -> filled(rule.say, given) }
}

// Does all that a rule about several parameters asks for hold?
def holds(rule, given) {
    return (
        (rule.on ?: []).every { name -> isOn(given[name]) }
        && (rule.off ?: []).every { name -> !isOn(given[name]) }
        && (rule.absent ?: []).every { name -> isAbsent(given[name]) }
        && (rule.given ?: []).every { name -> !isAbsent(given[name]) && given[name] != false }
        && (rule.lists ?: [:]).every { name, word -> word in (given[name] ?: '').toString().tokenize(',') }
        && (rule.above ?: [:]).every { name, limit -> (coerced(given[name], 'integer') ?: 0) > limit }
    )
}

// What is wrong with one value under one rule of the schema; null if nothing is
def valueProblem(value, rule, words) {
    def types = rule.type instanceof List ? rule.type : [rule.type]
    def typed = types.collect { type -> coerced(value, type) }.find { candidate -> candidate != null }
    if (typed == null) {
        return value == true ? words.value : words[types[-1]]
    }
    if (rule['enum'] && !(typed in rule['enum'])) {
        return filled(words['enum'], [choices: rule['enum'].join(', ')])
    }
    if (rule.minimum != null && typed < rule.minimum) {
        return filled(words.minimum, [limit: rule.minimum])
    }
    if (rule.exclusiveMinimum != null && typed <= rule.exclusiveMinimum) {
        return filled(words.exclusiveMinimum, [limit: rule.exclusiveMinimum])
    }
    if (rule.maximum != null && typed > rule.maximum) {
        return filled(words.maximum, [limit: rule.maximum])
    }
    if (rule.pattern && !(typed ==~ rule.pattern)) {
        return patternProblem(rule, words)
    }
    return rule.exists ? existenceProblem(typed, words) ?: contentProblem(typed, rule.mimetype, words) : null
}

def patternProblem(rule, words) {
    def ending = rule.pattern =~ /\\\.\(?([a-z|0-9]+)\)?\$$/
    return ending.find() ? filled(words.ending, [endings: '.' + ending.group(1).replace('|', ', .')]) : filled(words.pattern, [description: rule.description])
}

def existenceProblem(path, words) {
    try {
        return file(path, glob: false).exists() ? null : words.exists
    }
    catch (Exception unreadable) {
        return filled(words.readable, [why: unreadable.message])
    }
}

// A file that only the last step reads is looked into at once: nobody wants to hear of a missing colon after the training
def contentProblem(path, mimetype, words) {
    if (mimetype != 'application/yaml') {
        return null
    }
    try {
        // the tree only: values may have tags that only their reader knows
        def tree = new org.yaml.snakeyaml.Yaml().compose(new StringReader(file(path, glob: false).text))
        return tree == null || tree instanceof org.yaml.snakeyaml.nodes.MappingNode ? null : words.mapping
    }
    catch (Exception unreadable) {
        return filled(words.yaml, [why: unreadable.message.readLines()*.trim().join(' ')])
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

def isAbsent(value) {
    return value == null || value == ''
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
def parameterHelp(schema, topic, words) {
    def known = allParameters(schema)
    if (!(topic.toString() in ['true', 'false'])) {
        def name = topic.toString().replaceAll('^-+', '').replace('-', '_')
        if (!known.containsKey(name)) {
            def near = nearestName(name, known.keySet())
            return filled(words.help.unknown, [name: name]) + (near ? filled(words.meant, [near: near]) : words.help.see_help)
        }
        return oneParameterHelp(name, known[name], words.help)
    }
    def width = known.findAll { _name, rule -> !rule.hidden }.keySet()*.size().max()
    def lines = [words.help.usage, '']
    schema['$defs'].values().each { group ->
        lines << filled(words.help.group, group)
        group.properties.findAll { _name, rule -> !rule.hidden }.each { name, rule ->
            def default_value = rule.default == null ? '' : filled(words.help.line_default, rule)
            lines << filled(words.help.line, [name: name.padRight(width), description: rule.description, 'default': default_value])
        }
        lines << ''
    }
    return (lines + words.help.more).join('\n')
}

def oneParameterHelp(name, rule, words) {
    def lines = [filled(words.name, [name: name]), filled(words.text, [text: rule.description])]
    if (rule.help_text) {
        lines << filled(words.text, [text: rule.help_text])
    }
    lines << filled(words.type, [types: [rule.type].flatten().join(words.or)])
    if (rule['enum']) {
        lines << filled(words['enum'], [choices: rule['enum'].join(', ')])
    }
    if (rule.minimum != null || rule.maximum != null) {
        lines << filled(words.range, [minimum: rule.minimum == null ? '' : rule.minimum, maximum: rule.maximum == null ? '' : rule.maximum])
    }
    lines << filled(words['default'], ['default': rule.default == null ? words.no_default : rule.default])
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

// Parameters that a file given by -c set after the configuration had read them. `settled`: what it found then
def lateParameters(given, settled) {
    return (settled ?: [:])
        .findAll { name, value -> given[name] != value }
        .collect { name, _value ->
            "--${name} '${given[name]}' stands in a file given by -c, which is read too late for it: write it on the command line or into a file for -params-file"
        }
}
