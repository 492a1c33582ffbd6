# paxos/: the pure core of consensus. No clock, no socket, no file, no thread.
noinst_LIBRARIES += paxos/libpaxos.a
paxos_libpaxos_a_SOURCES = \
	paxos/types.c paxos/types.h
