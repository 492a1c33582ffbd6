# Unit tests of server/.
check_PROGRAMS += tests/unit/server/test_options tests/unit/server/test_replica
tests_unit_server_test_options_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_options_SOURCES = tests/unit/server/test_options.c
tests_unit_server_test_options_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)
tests_unit_server_test_replica_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_replica_SOURCES = tests/unit/server/test_replica.c
tests_unit_server_test_replica_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)

# Reads a journal from the disk in memory of storage's tests.
check_PROGRAMS += tests/unit/server/test_recovery
tests_unit_server_test_recovery_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_recovery_SOURCES = tests/unit/server/test_recovery.c
tests_unit_server_test_recovery_LDADD = tests/lib/libdisk.a $(SERVER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/server/test_keeper
tests_unit_server_test_keeper_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_keeper_SOURCES = tests/unit/server/test_keeper.c $(STATE_FIXTURE)
tests_unit_server_test_keeper_LDADD = tests/lib/libdisk.a $(SERVER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/server/test_peer_list tests/unit/server/test_genesis
tests_unit_server_test_peer_list_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_peer_list_SOURCES = tests/unit/server/test_peer_list.c
tests_unit_server_test_peer_list_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)
tests_unit_server_test_genesis_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_genesis_SOURCES = tests/unit/server/test_genesis.c
tests_unit_server_test_genesis_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)

TRANSFER_FIXTURE = tests/unit/server/transfer_fixture.c tests/unit/server/transfer_fixture.h \
	$(STATE_FIXTURE)
check_PROGRAMS += tests/unit/server/test_transfer tests/unit/server/test_transfer_journal
tests_unit_server_test_transfer_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_transfer_SOURCES = tests/unit/server/test_transfer.c $(TRANSFER_FIXTURE)
tests_unit_server_test_transfer_LDADD = tests/lib/libdisk.a $(SERVER_LIBS) $(CMOCKA_LIBS)
tests_unit_server_test_transfer_journal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_transfer_journal_SOURCES = tests/unit/server/test_transfer_journal.c \
	$(TRANSFER_FIXTURE)
tests_unit_server_test_transfer_journal_LDADD = tests/lib/libdisk.a $(SERVER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/server/test_session_clock
tests_unit_server_test_session_clock_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_session_clock_SOURCES = tests/unit/server/test_session_clock.c
tests_unit_server_test_session_clock_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/server/test_touch_frame tests/unit/server/test_session_keeper
tests_unit_server_test_touch_frame_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_touch_frame_SOURCES = tests/unit/server/test_touch_frame.c
tests_unit_server_test_touch_frame_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)
tests_unit_server_test_session_keeper_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_session_keeper_SOURCES = tests/unit/server/test_session_keeper.c \
	$(STATE_FIXTURE)
tests_unit_server_test_session_keeper_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/server/test_report
tests_unit_server_test_report_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_report_SOURCES = tests/unit/server/test_report.c
tests_unit_server_test_report_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/server/test_node_status
tests_unit_server_test_node_status_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_node_status_SOURCES = tests/unit/server/test_node_status.c
tests_unit_server_test_node_status_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/server/test_departures
tests_unit_server_test_departures_CFLAGS = $(UNIT_CFLAGS)
tests_unit_server_test_departures_SOURCES = tests/unit/server/test_departures.c
tests_unit_server_test_departures_LDADD = $(SERVER_LIBS) $(CMOCKA_LIBS)
