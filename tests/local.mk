# tests/: unit/ mirrors the tree (cmocka, one program per module).
UNIT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
BASE_LIBS = base/libbase.a
PAXOS_LIBS = paxos/libpaxos.a $(BASE_LIBS)
PEERS_LIBS = paxos/net/libpeers.a $(PAXOS_LIBS) $(NGHTTP2_LIBS) $(GNUTLS_LIBS) $(UV_LIBS)
STORAGE_LIBS = storage/libstorage.a $(PAXOS_LIBS) $(LMDB_LIBS)
API_LIBS = api/libapi.a $(STORAGE_LIBS) $(MHD_LIBS) $(JSON_LIBS) $(GNUTLS_LIBS)
SERVER_LIBS = server/libserver.a paxos/net/libpeers.a $(API_LIBS) $(NGHTTP2_LIBS) $(UV_LIBS)
TESTS += $(check_PROGRAMS)

include $(srcdir)/tests/unit/base/local.mk
include $(srcdir)/tests/unit/paxos/local.mk
include $(srcdir)/tests/unit/paxos/net/local.mk
include $(srcdir)/tests/unit/storage/durable.mk
include $(srcdir)/tests/unit/storage/replicated.mk
include $(srcdir)/tests/unit/api/local.mk
include $(srcdir)/tests/unit/server/local.mk
include $(srcdir)/tests/sim/local.mk
include $(srcdir)/tests/bench/local.mk
include $(srcdir)/tests/fuzz/local.mk
include $(srcdir)/tests/sim/marks.mk
include $(srcdir)/tests/mutants/local.mk
EXTRA_DIST += tests/rest tests/crash tests/cluster tests/containers tests/tidy.sh tests/names.sh tests/unit/cmocka_test.h
