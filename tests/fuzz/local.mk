# Fuzz targets: with --enable-fuzzers they are libFuzzer programs (./dev fuzz); otherwise make check
# replays their corpora, with truncations and bit flips of each file.
FUZZ_TARGETS = \
	tests/fuzz/fuzz_path tests/fuzz/fuzz_command tests/fuzz/fuzz_checkpoint \
	tests/fuzz/fuzz_journal tests/fuzz/fuzz_query tests/fuzz/fuzz_target tests/fuzz/fuzz_multi \
	tests/fuzz/fuzz_message tests/fuzz/fuzz_transfer tests/fuzz/fuzz_frame \
	tests/fuzz/fuzz_session
if FUZZERS
noinst_PROGRAMS += $(FUZZ_TARGETS)
FUZZ_MAIN =
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
check_PROGRAMS += $(FUZZ_TARGETS)
FUZZ_MAIN = tests/fuzz/replay.c
FUZZ_LINK = $(AM_LDFLAGS)
endif
FUZZ_COMPILE = $(AM_CFLAGS) -Wno-missing-prototypes $(JSON_CFLAGS)

tests_fuzz_fuzz_path_SOURCES = tests/fuzz/fuzz_path.c $(FUZZ_MAIN)
tests_fuzz_fuzz_path_CFLAGS = $(FUZZ_COMPILE)
tests_fuzz_fuzz_path_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_path_LDADD = $(STORAGE_LIBS)
tests_fuzz_fuzz_command_SOURCES = tests/fuzz/fuzz_command.c $(FUZZ_MAIN)
tests_fuzz_fuzz_command_CFLAGS = $(FUZZ_COMPILE)
tests_fuzz_fuzz_command_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_command_LDADD = $(STORAGE_LIBS)
tests_fuzz_fuzz_checkpoint_SOURCES = tests/fuzz/fuzz_checkpoint.c $(FUZZ_MAIN)
tests_fuzz_fuzz_checkpoint_CFLAGS = $(FUZZ_COMPILE)
tests_fuzz_fuzz_checkpoint_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_checkpoint_LDADD = $(STORAGE_LIBS)
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c $(FUZZ_MAIN)
tests_fuzz_fuzz_journal_CFLAGS = $(FUZZ_COMPILE)
tests_fuzz_fuzz_journal_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_journal_LDADD = $(DISK_LIBS)
tests_fuzz_fuzz_query_SOURCES = tests/fuzz/fuzz_query.c $(FUZZ_MAIN)
tests_fuzz_fuzz_query_CFLAGS = $(FUZZ_COMPILE)
tests_fuzz_fuzz_query_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_query_LDADD = $(API_LIBS)
tests_fuzz_fuzz_target_SOURCES = tests/fuzz/fuzz_target.c $(FUZZ_MAIN)
tests_fuzz_fuzz_target_CFLAGS = $(FUZZ_COMPILE)
tests_fuzz_fuzz_target_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_target_LDADD = $(API_LIBS)
tests_fuzz_fuzz_multi_SOURCES = tests/fuzz/fuzz_multi.c $(FUZZ_MAIN)
tests_fuzz_fuzz_multi_CFLAGS = $(FUZZ_COMPILE)
tests_fuzz_fuzz_multi_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_multi_LDADD = $(API_LIBS)
tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz_message.c $(FUZZ_MAIN)
tests_fuzz_fuzz_message_CFLAGS = $(FUZZ_COMPILE)
tests_fuzz_fuzz_message_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_message_LDADD = $(PAXOS_LIBS)
tests_fuzz_fuzz_transfer_SOURCES = tests/fuzz/fuzz_transfer.c $(FUZZ_MAIN)
tests_fuzz_fuzz_transfer_CFLAGS = $(FUZZ_COMPILE)
tests_fuzz_fuzz_transfer_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_transfer_LDADD = $(SERVER_LIBS)
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c $(FUZZ_MAIN)
tests_fuzz_fuzz_frame_CFLAGS = $(FUZZ_COMPILE) $(UV_CFLAGS)
tests_fuzz_fuzz_frame_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_frame_LDADD = $(PEERS_LIBS)
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz_session.c $(FUZZ_MAIN)
tests_fuzz_fuzz_session_CFLAGS = $(FUZZ_COMPILE) $(UV_CFLAGS)
tests_fuzz_fuzz_session_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_session_LDADD = $(PEERS_LIBS)

EXTRA_DIST += tests/fuzz/corpus
