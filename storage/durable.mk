# The durable half: disk port, identity, journal.
storage_libstorage_a_SOURCES += \
	storage/disk.c storage/disk.h \
	storage/disk_posix.c storage/disk_posix.h \
	storage/identity.c storage/identity.h \
	storage/journal.c storage/journal.h \
	storage/journal_damage.c \
	storage/journal_format.c storage/journal_format.h \
	storage/journal_group.c \
	storage/journal_internal.h \
	storage/journal_read.c storage/journal_read.h \
	storage/journal_recovery.c \
	storage/journal_rules.c storage/journal_rules.h \
	storage/journal_segments.c
