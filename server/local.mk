# server/: the daemon. main, options, the core loop, the driver and its threads.
noinst_LIBRARIES += server/libserver.a
server_libserver_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
server_libserver_a_SOURCES = \
	server/applier.c server/applier.h \
	server/core_loop.c server/core_loop.h \
	server/courier.c server/courier.h \
	server/directory.c server/directory.h \
	server/departures.c server/departures.h \
	server/fatal.c server/fatal.h \
	server/forward.c server/forward.h \
	server/forwarded.c server/forwarded.h \
	server/founding.c server/founding.h \
	server/genesis.c server/genesis.h \
	server/health.c server/health.h \
	server/installer.c server/installer.h \
	server/journal_writer.c server/journal_writer.h \
	server/keeper.c server/keeper.h \
	server/network.c server/network.h \
	server/node.c server/node.h server/node_internal.h \
	server/node_backend.c \
	server/node_metrics.c server/node_metrics.h \
	server/node_ports.c \
	server/node_status.c server/node_status.h \
	server/options.c server/options.h \
	server/peer_list.c server/peer_list.h \
	server/pending.c server/pending.h \
	server/read_queue.c server/read_queue.h \
	server/reaper.c server/reaper.h \
	server/recovery.c server/recovery.h \
	server/renewals.c server/renewals.h \
	server/replica.c server/replica.h \
	server/report.c server/report.h \
	server/session_clock.c server/session_clock.h \
	server/session_keeper.c server/session_keeper.h \
	server/sessions.c server/sessions.h \
	server/start_status.c server/start_status.h \
	server/touch_frame.c server/touch_frame.h \
	server/transfer.c server/transfer.h \
	server/transfer_frame.c server/transfer_frame.h \
	server/waiters.c server/waiters.h

sbin_PROGRAMS += curlewd
curlewd_SOURCES = server/main.c
curlewd_LDADD = server/libserver.a api/libapi.a storage/libstorage.a paxos/net/libpeers.a \
	paxos/libpaxos.a base/libbase.a $(UV_LIBS) $(NGHTTP2_LIBS) $(MHD_LIBS) $(JSON_LIBS) $(GNUTLS_LIBS) $(LMDB_LIBS)

dist_man_MANS += server/install/curlewd.8
systemdsystemunit_DATA = server/install/curlewd.service
EXTRA_DIST += server/install/curlewd.service.in
CLEANFILES += server/install/curlewd.service
server/install/curlewd.service: server/install/curlewd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) server/install && \
	$(SED) 's|@sbindir[@]|$(sbindir)|' $(srcdir)/server/install/curlewd.service.in > $@
