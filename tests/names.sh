#!/bin/sh
# Names in the documents exist in the tree: what stands in `code style` and looks like a file or a name of
# the source; in docs/paxos.md also the *mutants* and the "oracles". Prints every one that does not; none
# is success. With arguments, looks at those documents.
set -u
cd "$(dirname "$0")/.."
violations=0
source=$(mktemp)
trap 'rm -f "$source"' EXIT
missing() { printf '%s: there is no %s "%s"\n' "$1" "$2" "$3"; violations=1; }

# All words of the source but for lines that are comments.
find base paxos storage api server tests -name '*.[ch]' -o -name '*.py' | xargs cat |
    grep -v '^ *\(//\|#\)' | grep -oE '[A-Za-z_][A-Za-z0-9_]*' | sort -u >"$source"

in_code_style() { sed '/^```/,/^```/d' "$1" | tr '\n' ' ' | grep -oE '`[^`]+`' | tr -d '`' | sort -u; }
is_file() { [ -e "$1" ] || [ -n "$(find base paxos storage api server tests docs openapi dev -name "$1" -print -quit)" ]; }

[ $# -gt 0 ] || set -- docs/paxos.md docs/architecture.md
for document in "$@"; do
    for name in $(in_code_style "$document" | grep -E '^[A-Za-z0-9_./-]+(\.(c|h|py|sh|md|yaml)|/)$'); do
        is_file "$name" || missing "$document" file "$name"
    done
    for name in $(in_code_style "$document" | grep -xE '[A-Za-z_][A-Za-z0-9_]*'); do
        grep -qx "$name" "$source" || [ -e "$name" ] || missing "$document" name "$name"
    done
    for name in $(grep -oE '(^|[^*])\*[a-z]+(_[a-z0-9]+)+\*' "$document" | tr -d '*( |' | sort -u); do
        grep -q "('$name'," tests/mutants/mutants.py || missing "$document" mutant "$name"
    done
    for name in $(grep -oE 'oracles? "[^.;|)]*' "$document" | grep -oE '"[a-z0-9-]+"' | sort -u); do
        grep -qF "$name" tests/sim/*.c || missing "$document" oracle "$(echo "$name" | tr -d '"')"
    done
done
exit $violations
