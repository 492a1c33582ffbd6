# Unit tests of paxos/.
check_PROGRAMS += tests/unit/paxos/test_core
tests_unit_paxos_test_core_CFLAGS = $(UNIT_CFLAGS)
tests_unit_paxos_test_core_SOURCES = tests/unit/paxos/test_core.c
tests_unit_paxos_test_core_LDADD = $(PAXOS_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/paxos/test_message
tests_unit_paxos_test_message_CFLAGS = $(UNIT_CFLAGS)
tests_unit_paxos_test_message_SOURCES = tests/unit/paxos/test_message.c
tests_unit_paxos_test_message_LDADD = $(PAXOS_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/paxos/test_cluster
tests_unit_paxos_test_cluster_CFLAGS = $(UNIT_CFLAGS)
tests_unit_paxos_test_cluster_SOURCES = tests/unit/paxos/test_cluster.c \
	tests/lib/paxos_cluster.c tests/lib/paxos_cluster.h
tests_unit_paxos_test_cluster_LDADD = $(PAXOS_LIBS) $(CMOCKA_LIBS)
