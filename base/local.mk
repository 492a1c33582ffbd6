# base/: libc and libxxhash only; knows nothing of the project.
noinst_LIBRARIES += base/libbase.a
base_libbase_a_CFLAGS = $(AM_CFLAGS) $(XXHASH_CFLAGS)
base_libbase_a_SOURCES = \
	base/assert.c base/assert.h \
	base/blob.c base/blob.h \
	base/bytes.c base/bytes.h \
	base/clock.c base/clock.h \
	base/errors.c base/errors.h \
	base/exposition.c base/exposition.h \
	base/failure.c base/failure.h \
	base/fifo.h \
	base/hash.c base/hash.h \
	base/log.c base/log.h \
	base/log_json.c base/log_json.h \
	base/mailbox.c base/mailbox.h \
	base/map.c base/map.h \
	base/memory.c base/memory.h \
	base/metrics.c base/metrics.h \
	base/random.c base/random.h \
	base/utf8.c base/utf8.h
