# The tests of the api that need a state behind it.
check_PROGRAMS += tests/unit/api/test_http
tests_unit_api_test_http_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_http_SOURCES = tests/unit/api/test_http.c \
	tests/unit/api/backend.c tests/unit/api/backend.h $(API_CHECK)
tests_unit_api_test_http_LDADD = $(API_LIBS) $(CMOCKA_LIBS)
