# server/: the daemon. main, options, the core loop, the driver and its threads.
noinst_LIBRARIES += server/libserver.a
server_libserver_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
server_libserver_a_SOURCES =
