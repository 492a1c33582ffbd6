# The simulator over mutated sources: built on demand (./dev test runs it).
EXTRA_PROGRAMS += tests/mutants/sim
MUTATED = tests/mutants/generated
MUTATED_SOURCES = \
	$(MUTATED)/api_watch.c \
	$(MUTATED)/api_watch_read.c \
	$(MUTATED)/paxos_acceptor.c \
	$(MUTATED)/paxos_election.c \
	$(MUTATED)/paxos_paxos.c \
	$(MUTATED)/paxos_proposer.c \
	$(MUTATED)/paxos_reads.c \
	$(MUTATED)/paxos_recovery.c \
	$(MUTATED)/paxos_replication.c \
	$(MUTATED)/server_read_queue.c \
	$(MUTATED)/server_replica.c \
	$(MUTATED)/server_session_clock.c \
	$(MUTATED)/server_session_keeper.c \
	$(MUTATED)/storage_execute.c \
	$(MUTATED)/storage_journal.c \
	$(MUTATED)/storage_session.c \
	$(MUTATED)/storage_state.c
# What a source of the simulator includes.
MUTATED_PARTS = $(MUTATED)/api_hub.c $(MUTATED)/storage_history.c
tests_mutants_sim_CFLAGS = $(AM_CFLAGS) -Wno-parentheses \
	-DHUB_SOURCE='"$(MUTATED)/api_hub.c"' -DHISTORY_SOURCE='"$(MUTATED)/storage_history.c"'
tests_mutants_sim_SOURCES = $(tests_sim_sim_SOURCES) tests/mutants/chosen.c
nodist_tests_mutants_sim_SOURCES = $(MUTATED_SOURCES)
tests_mutants_sim_LDADD = $(tests_sim_sim_LDADD)
# The recipe does nothing, but has make look at their times again.
$(MUTATED_SOURCES) $(MUTATED_PARTS): $(MUTATED)/stamp
	@:
$(MUTATED)/stamp: $(srcdir)/tests/mutants/mutants.py $(wildcard $(srcdir)/api/*.c $(srcdir)/paxos/*.c $(srcdir)/server/*.c $(srcdir)/storage/*.c)
	$(AM_V_GEN)/usr/bin/python3 $(srcdir)/tests/mutants/mutants.py generate $(srcdir) $(MUTATED) && touch $@
tests/sim/tests_mutants_sim-hub_events.$(OBJEXT): $(MUTATED)/api_hub.c
tests/sim/tests_mutants_sim-history_short.$(OBJEXT): $(MUTATED)/storage_history.c
CLEANFILES += $(MUTATED_SOURCES) $(MUTATED_PARTS) $(MUTATED)/stamp
EXTRA_DIST += tests/mutants/mutants.py
