# Statements of C and GLSL: statements.awk FILE... reports statements that a comma joins (or joins to a return), and a second
# statement on a line. What is in strings, comments, preprocessor lines and parentheses (as the head of a for) does not count,
# nor does what follows a case on its line.

# What remains of a line without comments, strings and characters.
function code(line,    kept, found) {
    gsub(/\\./, "", line)
    kept = ""
    while (line != "") {
        if (commented) {
            if (!match(line, /\*\//)) return kept
            commented = 0
        } else {
            if (!match(line, /"[^"]*"|'[^']*'|\/\*|\/\//)) return kept line
            kept = kept substr(line, 1, RSTART - 1)
            found = substr(line, RSTART, 2)
            if (found == "//") return kept
            if (found == "/*") commented = 1
            else kept = kept "0"
        }
        line = substr(line, RSTART + RLENGTH)
    }
    return kept
}

# A statement without its `;`; parentheses and the braces of initialisers have become @.
function check(statement) {
    gsub(/[ \n\t]+/, " ", statement)
    sub(/^ /, "", statement)
    while (sub(/^(case [^:]*: ?|[A-Za-z_]+: ?|else |do |(if|for|while|switch) ?@ ?|[A-Z][A-Z0-9_]*@ )/, "", statement)) continue
    if (statement !~ /,/) return
    if (statement !~ /^return / && statement ~ /^[A-Za-z_][A-Za-z0-9_]*[ *]+[A-Za-z_@]/) return # a declaration
    print FILENAME ":" FNR ": statements joined by a comma: " statement
}

FNR == 1 {
    text = ""
    commented = continued = 0
}
{
    directive = continued || (!commented && $0 ~ /^[ \t]*#/)
    continued = directive && $0 ~ /\\$/
    if (directive) next
    text = text "\n" code($0)
    while (gsub(/\([^()]*\)/, "@", text) || gsub(/\[[^][]*\]/, "", text) || gsub(/\{[^{};]*\}/, "@", text)) continue
    while (text !~ /\(/ && match(text, /;/)) {
        statement = substr(text, 1, RSTART - 1)
        text = substr(text, RSTART + 1)
        sub(/^.*[{}]/, "", statement)
        line = statement
        sub(/^.*\n/, "", line)
        check(statement)
        if (text ~ /^[ \t]*[^ \t\n};]/ && line !~ /^[ \t]*(case [^:]*|default):/) print FILENAME ":" FNR ": two statements on a line"
    }
}
