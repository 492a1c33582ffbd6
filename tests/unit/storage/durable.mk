# Unit tests of this part of the tree: each program is added to check_PROGRAMS.
check_LIBRARIES += tests/lib/libdisk.a
tests_lib_libdisk_a_CFLAGS = $(AM_CFLAGS)
tests_lib_libdisk_a_SOURCES = \
	tests/lib/disk_fake.c tests/lib/disk_fake.h \
	tests/lib/disk_fake_file.c tests/lib/disk_fake_file.h \
	tests/lib/journal_fixture.c tests/lib/journal_fixture.h
DISK_LIBS = tests/lib/libdisk.a $(STORAGE_LIBS)

check_PROGRAMS += tests/unit/storage/test_disk
tests_unit_storage_test_disk_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_disk_SOURCES = tests/unit/storage/test_disk.c
tests_unit_storage_test_disk_LDADD = $(DISK_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_identity
tests_unit_storage_test_identity_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_identity_SOURCES = tests/unit/storage/test_identity.c
tests_unit_storage_test_identity_LDADD = $(DISK_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_journal
tests_unit_storage_test_journal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_journal_SOURCES = tests/unit/storage/test_journal.c
tests_unit_storage_test_journal_LDADD = $(DISK_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_journal_recovery
tests_unit_storage_test_journal_recovery_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_journal_recovery_SOURCES = tests/unit/storage/test_journal_recovery.c
tests_unit_storage_test_journal_recovery_LDADD = $(DISK_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_journal_rules
tests_unit_storage_test_journal_rules_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_journal_rules_SOURCES = tests/unit/storage/test_journal_rules.c
tests_unit_storage_test_journal_rules_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_journal_damage
tests_unit_storage_test_journal_damage_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_journal_damage_SOURCES = tests/unit/storage/test_journal_damage.c
tests_unit_storage_test_journal_damage_LDADD = $(DISK_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage/test_journal_read
tests_unit_storage_test_journal_read_CFLAGS = $(UNIT_CFLAGS)
tests_unit_storage_test_journal_read_SOURCES = tests/unit/storage/test_journal_read.c
tests_unit_storage_test_journal_read_LDADD = $(DISK_LIBS) $(CMOCKA_LIBS)
