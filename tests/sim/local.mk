# The simulator: a cluster in one thread, the shipped driver and core in a world of choices. Its
# machine.c and tables_memory.c stand before the members of the archives that they replace.
check_PROGRAMS += tests/sim/sim
tests_sim_sim_CFLAGS = $(AM_CFLAGS)
tests_sim_sim_SOURCES = \
	tests/sim/ambush.c tests/sim/ambush.h \
	tests/sim/apply.c \
	tests/sim/attendance.c tests/sim/attendance.h \
	tests/sim/bulk.c \
	tests/sim/choice.c tests/sim/choice.h \
	tests/sim/courier.c \
	tests/sim/faults.c tests/sim/faults.h \
	tests/sim/flush.c \
	tests/sim/history_short.c \
	tests/sim/holder.c tests/sim/holder.h \
	tests/sim/hub_events.c \
	tests/sim/introductions.c tests/sim/introductions.h \
	tests/sim/machine.c tests/sim/machine.h \
	tests/sim/main.c \
	tests/sim/model.c tests/sim/model.h \
	tests/sim/network.c tests/sim/network.h \
	tests/sim/node.c tests/sim/node.h \
	tests/sim/notifier.c tests/sim/notifier.h \
	tests/sim/oracle.h tests/sim/oracle_internal.h \
	tests/sim/oracle_disk.c \
	tests/sim/oracle_election.c \
	tests/sim/oracle_history.c \
	tests/sim/oracle_log.c \
	tests/sim/oracle_register.c \
	tests/sim/oracle_session.c \
	tests/sim/oracle_watch.c \
	tests/sim/shadow.c tests/sim/shadow.h \
	tests/sim/shrink.c tests/sim/shrink.h \
	tests/sim/tables_memory.c \
	tests/sim/watcher.c tests/sim/watcher.h \
	tests/sim/workload.c tests/sim/workload.h \
	tests/sim/world.c tests/sim/world.h
EXTRA_DIST += tests/sim/marks.py
tests_sim_sim_LDADD = server/libserver.a api/libapi.a tests/lib/libdisk.a $(STORAGE_LIBS) \
	$(JSON_LIBS) $(GNUTLS_LIBS)
