# paxos/: the pure core of consensus. No clock, no socket, no file, no thread.
noinst_LIBRARIES += paxos/libpaxos.a
paxos_libpaxos_a_SOURCES = \
	paxos/core.h \
	paxos/leader.c \
	paxos/log.c paxos/log.h \
	paxos/message.c paxos/message.h \
	paxos/paxos.c paxos/paxos.h \
	paxos/recovery.c \
	paxos/types.c paxos/types.h
