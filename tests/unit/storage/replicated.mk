# Unit tests of the replicated half: each program is added to check_PROGRAMS.
STATE_FIXTURE = tests/unit/storage/fixture.c tests/unit/storage/fixture.h

check_PROGRAMS += tests/unit/storage/test_path
tests_unit_storage_test_path_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_path_SOURCES = tests/unit/storage/test_path.c
tests_unit_storage_test_path_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_command
tests_unit_storage_test_command_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_command_SOURCES = tests/unit/storage/test_command.c
tests_unit_storage_test_command_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_operations
tests_unit_storage_test_operations_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_operations_SOURCES = tests/unit/storage/test_operations.c $(STATE_FIXTURE)
tests_unit_storage_test_operations_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_execute
tests_unit_storage_test_execute_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_execute_SOURCES = tests/unit/storage/test_execute.c $(STATE_FIXTURE)
tests_unit_storage_test_execute_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_tree
tests_unit_storage_test_tree_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_tree_SOURCES = tests/unit/storage/test_tree.c $(STATE_FIXTURE)
tests_unit_storage_test_tree_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_view
tests_unit_storage_test_view_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_view_SOURCES = tests/unit/storage/test_view.c $(STATE_FIXTURE)
tests_unit_storage_test_view_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_checkpoint
tests_unit_storage_test_checkpoint_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_checkpoint_SOURCES = tests/unit/storage/test_checkpoint.c $(STATE_FIXTURE)
tests_unit_storage_test_checkpoint_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_history
tests_unit_storage_test_history_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_history_SOURCES = tests/unit/storage/test_history.c $(STATE_FIXTURE)
tests_unit_storage_test_history_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_session
tests_unit_storage_test_session_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_session_SOURCES = tests/unit/storage/test_session.c $(STATE_FIXTURE)
tests_unit_storage_test_session_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_due
tests_unit_storage_test_due_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_due_SOURCES = tests/unit/storage/test_due.c $(STATE_FIXTURE)
tests_unit_storage_test_due_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_model
tests_unit_storage_test_model_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_model_SOURCES = tests/unit/storage/test_model.c $(STATE_FIXTURE)
tests_unit_storage_test_model_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_live
tests_unit_storage_test_live_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_live_SOURCES = tests/unit/storage/test_live.c
tests_unit_storage_test_live_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_state
tests_unit_storage_test_state_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_state_SOURCES = tests/unit/storage/test_state.c $(STATE_FIXTURE)
tests_unit_storage_test_state_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_checkpoint_transfer
tests_unit_storage_test_checkpoint_transfer_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_checkpoint_transfer_SOURCES = \
	tests/unit/storage/test_checkpoint_transfer.c $(STATE_FIXTURE)
tests_unit_storage_test_checkpoint_transfer_LDADD = $(DISK_LIBS) $(CMOCKA_LIBS)
