# Unit tests of the replicated half: each program is added to check_PROGRAMS.
STATE_FIXTURE = tests/unit/storage/fixture.c tests/unit/storage/fixture.h

check_PROGRAMS += tests/unit/storage/test_execute
tests_unit_storage_test_execute_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_execute_SOURCES = tests/unit/storage/test_execute.c $(STATE_FIXTURE)
tests_unit_storage_test_execute_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
