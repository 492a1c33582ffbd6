# The simulator with the core and the driver counted line by line: see marks.py. Built on demand.
EXTRA_PROGRAMS += tests/sim/marks
MARKED = \
	paxos/acceptor.c paxos/election.c paxos/log.c paxos/paxos.c paxos/proposer.c paxos/reads.c \
	paxos/recovery.c paxos/replication.c \
	server/forwarded.c server/pending.c server/read_queue.c server/renewals.c server/replica.c \
	server/session_clock.c server/session_keeper.c server/touch_frame.c server/transfer.c
tests_sim_marks_CFLAGS = $(AM_CFLAGS) -O0 --coverage
tests_sim_marks_LDFLAGS = --coverage
tests_sim_marks_SOURCES = $(tests_sim_sim_SOURCES) $(MARKED)
tests_sim_marks_LDADD = $(tests_sim_sim_LDADD)
CLEANFILES += paxos/tests_sim_marks-*.gc?? server/tests_sim_marks-*.gc?? \
	tests/sim/tests_sim_marks-*.gc??
