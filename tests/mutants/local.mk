# The simulator over mutated sources: built on demand (./dev test runs it).
EXTRA_PROGRAMS += tests/mutants/sim
MUTATED = tests/mutants/generated
MUTATED_SOURCES = \
	$(MUTATED)/paxos_acceptor.c \
	$(MUTATED)/paxos_election.c \
	$(MUTATED)/paxos_paxos.c \
	$(MUTATED)/paxos_proposer.c \
	$(MUTATED)/paxos_reads.c \
	$(MUTATED)/paxos_recovery.c \
	$(MUTATED)/paxos_replication.c \
	$(MUTATED)/server_read_queue.c \
	$(MUTATED)/server_replica.c \
	$(MUTATED)/storage_execute.c \
	$(MUTATED)/storage_journal.c
tests_mutants_sim_CFLAGS = $(AM_CFLAGS) -Wno-parentheses
tests_mutants_sim_SOURCES = $(tests_sim_sim_SOURCES) tests/mutants/chosen.c
nodist_tests_mutants_sim_SOURCES = $(MUTATED_SOURCES)
tests_mutants_sim_LDADD = $(tests_sim_sim_LDADD)
# The recipe does nothing, but has make look at their times again.
$(MUTATED_SOURCES): $(MUTATED)/stamp
	@:
$(MUTATED)/stamp: $(srcdir)/tests/mutants/mutants.py $(wildcard $(srcdir)/paxos/*.c $(srcdir)/server/*.c $(srcdir)/storage/*.c)
	$(AM_V_GEN)/usr/bin/python3 $(srcdir)/tests/mutants/mutants.py generate $(srcdir) $(MUTATED) && touch $@
CLEANFILES += $(MUTATED_SOURCES) $(MUTATED)/stamp
EXTRA_DIST += tests/mutants/mutants.py
