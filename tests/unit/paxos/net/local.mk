# Unit tests of paxos/net/.
PEERS_FIXTURE = tests/unit/paxos/net/party.c tests/unit/paxos/net/party.h
PEERS_TESTS = \
	tests/unit/paxos/net/test_frame tests/unit/paxos/net/test_session \
	tests/unit/paxos/net/test_peers \
	tests/unit/paxos/net/test_strangers tests/unit/paxos/net/test_tls
check_PROGRAMS += $(PEERS_TESTS)
tests_unit_paxos_net_test_frame_CFLAGS = $(UNIT_CFLAGS)
tests_unit_paxos_net_test_frame_SOURCES = tests/unit/paxos/net/test_frame.c
tests_unit_paxos_net_test_frame_LDADD = $(PEERS_LIBS) $(CMOCKA_LIBS)
tests_unit_paxos_net_test_session_CFLAGS = $(UNIT_CFLAGS) $(UV_CFLAGS)
tests_unit_paxos_net_test_session_SOURCES = tests/unit/paxos/net/test_session.c
tests_unit_paxos_net_test_session_LDADD = $(PEERS_LIBS) $(CMOCKA_LIBS)
tests_unit_paxos_net_test_peers_CFLAGS = $(UNIT_CFLAGS) $(UV_CFLAGS)
tests_unit_paxos_net_test_peers_SOURCES = tests/unit/paxos/net/test_peers.c $(PEERS_FIXTURE)
tests_unit_paxos_net_test_peers_LDADD = $(PEERS_LIBS) $(CMOCKA_LIBS)
tests_unit_paxos_net_test_strangers_CFLAGS = $(UNIT_CFLAGS) $(UV_CFLAGS)
tests_unit_paxos_net_test_strangers_SOURCES = tests/unit/paxos/net/test_strangers.c \
	tests/unit/paxos/net/stranger.c tests/unit/paxos/net/stranger.h $(PEERS_FIXTURE)
tests_unit_paxos_net_test_strangers_LDADD = $(PEERS_LIBS) $(CMOCKA_LIBS)
tests_unit_paxos_net_test_tls_CFLAGS = $(UNIT_CFLAGS) $(UV_CFLAGS) $(GNUTLS_CFLAGS)
tests_unit_paxos_net_test_tls_SOURCES = tests/unit/paxos/net/test_tls.c \
	tests/unit/paxos/net/certificates.c tests/unit/paxos/net/certificates.h \
	tests/unit/paxos/net/stranger.c tests/unit/paxos/net/stranger.h $(PEERS_FIXTURE)
tests_unit_paxos_net_test_tls_LDADD = $(PEERS_LIBS) $(CMOCKA_LIBS)
