# The durable half: disk port, identity, journal.
storage_libstorage_a_SOURCES += \
	storage/disk.h \
	storage/disk_posix.h \
	storage/identity.h \
	storage/journal.h
