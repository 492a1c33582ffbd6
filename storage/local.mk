# storage/: what is replicated and what is durable. The only place that includes <lmdb.h>.
noinst_LIBRARIES += storage/libstorage.a
storage_libstorage_a_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS)
storage_libstorage_a_SOURCES = \
	storage/storage.h
include $(srcdir)/storage/durable.mk
include $(srcdir)/storage/replicated.mk
