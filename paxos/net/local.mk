# paxos/net/: connections to the other nodes, the only room that knows nghttp2. Beside the core, not
# part of it: an archive of its own.
noinst_LIBRARIES += paxos/net/libpeers.a
paxos_net_libpeers_a_CFLAGS = $(AM_CFLAGS) $(NGHTTP2_CFLAGS) $(GNUTLS_CFLAGS) $(UV_CFLAGS)
paxos_net_libpeers_a_SOURCES = \
	paxos/net/address.c paxos/net/address.h \
	paxos/net/connection.c paxos/net/connection.h \
	paxos/net/dialler.c paxos/net/dialler.h \
	paxos/net/frame.c paxos/net/frame.h \
	paxos/net/guest.c paxos/net/guest.h \
	paxos/net/hello.c paxos/net/hello.h \
	paxos/net/link.c paxos/net/link.h \
	paxos/net/listener.c paxos/net/listener.h \
	paxos/net/outbox.c paxos/net/outbox.h \
	paxos/net/peers.c paxos/net/peers.h paxos/net/table.h \
	paxos/net/session.c paxos/net/session.h \
	paxos/net/tls.c paxos/net/tls.h
