# Unit tests of this part of the tree: each program is added to check_PROGRAMS.
# These look at modules that need no storage, so they link what lies left of it and the api itself.
API_PARTS = api/libapi.a $(BASE_LIBS) $(JSON_LIBS) $(GNUTLS_LIBS)
API_CHECK = tests/unit/api/check.h

check_PROGRAMS += tests/unit/api/test_admission
tests_unit_api_test_admission_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_admission_SOURCES = tests/unit/api/test_admission.c $(API_CHECK)
tests_unit_api_test_admission_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_credential
tests_unit_api_test_credential_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_credential_SOURCES = tests/unit/api/test_credential.c $(API_CHECK)
tests_unit_api_test_credential_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_cursor
tests_unit_api_test_cursor_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_cursor_SOURCES = tests/unit/api/test_cursor.c $(API_CHECK)
tests_unit_api_test_cursor_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_guard
tests_unit_api_test_guard_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_guard_SOURCES = tests/unit/api/test_guard.c $(API_CHECK)
tests_unit_api_test_guard_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_json
tests_unit_api_test_json_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_json_SOURCES = tests/unit/api/test_json.c $(API_CHECK)
tests_unit_api_test_json_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_multi_parse
tests_unit_api_test_multi_parse_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_multi_parse_SOURCES = tests/unit/api/test_multi_parse.c $(API_CHECK)
tests_unit_api_test_multi_parse_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_precondition
tests_unit_api_test_precondition_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_precondition_SOURCES = tests/unit/api/test_precondition.c $(API_CHECK)
tests_unit_api_test_precondition_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_problem
tests_unit_api_test_problem_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_problem_SOURCES = tests/unit/api/test_problem.c $(API_CHECK)
tests_unit_api_test_problem_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_query
tests_unit_api_test_query_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_query_SOURCES = tests/unit/api/test_query.c $(API_CHECK)
tests_unit_api_test_query_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_route
tests_unit_api_test_route_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_route_SOURCES = tests/unit/api/test_route.c $(API_CHECK)
tests_unit_api_test_route_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_target
tests_unit_api_test_target_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_target_SOURCES = tests/unit/api/test_target.c $(API_CHECK)
tests_unit_api_test_target_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_watch_parts
tests_unit_api_test_watch_parts_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_watch_parts_SOURCES = tests/unit/api/test_watch_parts.c $(API_CHECK)
tests_unit_api_test_watch_parts_LDADD = $(API_PARTS) $(CMOCKA_LIBS)

# These have a state behind them.
check_PROGRAMS += tests/unit/api/test_hub
tests_unit_api_test_hub_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_hub_SOURCES = tests/unit/api/test_hub.c \
	tests/unit/api/backend.c tests/unit/api/backend.h $(API_CHECK)
tests_unit_api_test_hub_LDADD = $(API_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/api/test_http
tests_unit_api_test_http_CFLAGS = $(UNIT_CFLAGS)
tests_unit_api_test_http_SOURCES = tests/unit/api/test_http.c \
	tests/unit/api/backend.c tests/unit/api/backend.h $(API_CHECK)
tests_unit_api_test_http_LDADD = $(API_LIBS) $(CMOCKA_LIBS)
