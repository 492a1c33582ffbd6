# Unit tests of base/.
check_PROGRAMS += tests/unit/base/test_bytes tests/unit/base/test_text
tests_unit_base_test_bytes_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_bytes_SOURCES = tests/unit/base/test_bytes.c tests/unit/cmocka_test.h
tests_unit_base_test_bytes_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
tests_unit_base_test_text_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_text_SOURCES = tests/unit/base/test_text.c tests/unit/cmocka_test.h
tests_unit_base_test_text_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/base/test_map
tests_unit_base_test_map_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_map_SOURCES = tests/unit/base/test_map.c
tests_unit_base_test_map_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/base/test_metrics
tests_unit_base_test_metrics_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_metrics_SOURCES = tests/unit/base/test_metrics.c
tests_unit_base_test_metrics_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/base/test_log_json
tests_unit_base_test_log_json_CFLAGS = $(UNIT_CFLAGS)
tests_unit_base_test_log_json_SOURCES = tests/unit/base/test_log_json.c
tests_unit_base_test_log_json_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
