#!/bin/sh
# Rules of the house that a compiler does not check. Prints every violation; none is success.
set -u
cd "$(dirname "$0")/.."
violations=0
report() {
    [ -z "$1" ] || { printf '%s\n' "$2:" "$1"; violations=1; }
}

# Include only leftwards: base < paxos < storage < api < server.
forbid() { grep -rnE "#include \"($2)/" "$1" --include='*.[ch]'; }
report "$(forbid base 'paxos|storage|api|server')" 'base/ includes something right of it'
report "$(forbid paxos 'storage|api|server')" 'paxos/ includes something right of it'
report "$(forbid storage 'api|server')" 'storage/ includes something right of it'
report "$(forbid api 'server')" 'api/ includes something right of it'
report "$(grep -rln '<lmdb.h>' --include='*.[ch]' base paxos storage api server | grep -v 'storage/tables')" '<lmdb.h> outside storage/tables'
report "$(grep -rln '<microhttpd.h>' --include='*.[ch]' base paxos storage server)" '<microhttpd.h> outside api/'
report "$(grep -rln '<nghttp2/' --include='*.[ch]' base paxos storage api server | grep -v '^paxos/net/')" '<nghttp2/> outside paxos/net/'
report "$(grep -nE '#include (<(time|pthread|unistd|stdio|uv|sys/.*)\.h>|"paxos/net/)' paxos/*.[ch])" 'the core is pure: no clock, thread, file or socket'

# The core allocates nothing after paxos_new, and nothing uses what always bites.
report "$(grep -rnE '\b(strcpy|sprintf|strcat|atoi|gets|rand)\(' base paxos storage api server --include='*.c')" 'unbounded or unchecked library call'
report "$(grep -rn '<assert.h>' base paxos storage api server)" 'assert.h: use base/assert.h'
report "$(grep -rnE '\b(TODO|FIXME|XXX)\b|#if 0' base paxos storage api server tests docs README.md --include='*.[chmp]*' | grep -v tidy.sh)" 'left undone'
report "$(find base paxos storage api server tests -name '*.c' -exec wc -l {} + | awk '$2 != "total" && $1 > 800 {print $2 ": " $1 " lines"}')" 'file longer than 800 lines'
report "$(for f in $(find base paxos storage api server tests -name '*.[ch]'); do
    sed -n 1p "$f" | grep -q '^// SPDX-License-Identifier: Apache-2.0$' && sed -n 2p "$f" | grep -q '^// ' || echo "$f"; done)" 'file without licence line and reason'
report "$(for f in $(find base paxos storage api server -name '*.[ch]'); do
    grep -rq "$f" --include='*.mk' . || echo "$f"; done)" 'file that no Makefile part names'

# Functions fit on a page: from the opening to the closing brace in the first column.
report "$(find base paxos storage api server -name '*.c' -exec awk '
    /^{/ {start = FNR} /^}/ && start {if (FNR - start > 70) print FILENAME ":" start ": " FNR - start " lines"; start = 0}' {} +)" 'function longer than 70 lines'

report "$(sh tests/names.sh)" 'names in the documents that the tree does not have'

[ $violations -eq 0 ] && echo 'tidy: 1 passed'
exit $violations
