# The programs that ./dev bench runs; built on demand.
EXTRA_PROGRAMS = tests/bench/baseline tests/bench/load tests/bench/streams
tests_bench_baseline_CFLAGS = $(AM_CFLAGS) $(MHD_CFLAGS)
tests_bench_baseline_SOURCES = tests/bench/baseline.c
tests_bench_baseline_LDADD = $(MHD_LIBS)
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_streams_SOURCES = tests/bench/streams.c
CLEANFILES += $(EXTRA_PROGRAMS)
.PHONY: bench
bench: curlewd tests/bench/baseline tests/bench/load tests/bench/streams
EXTRA_DIST += tests/bench/bench.py tests/bench/measure.py tests/bench/nodes.py tests/bench/failover.py \
	tests/bench/watch.py tests/bench/sessions.py
