# api/: REST. The only place that includes <microhttpd.h>.
noinst_LIBRARIES += api/libapi.a
api_libapi_a_CFLAGS = $(AM_CFLAGS) $(MHD_CFLAGS) $(JSON_CFLAGS) $(GNUTLS_CFLAGS)
api_libapi_a_SOURCES = \
	api/accept.c api/accept.h \
	api/acceptor.c api/acceptor.h \
	api/admission.c api/admission.h \
	api/api.c api/api.h \
	api/canned.c api/canned.h \
	api/connection.c api/connection.h \
	api/credential.c api/credential.h \
	api/cursor.c api/cursor.h \
	api/deadlines.c api/deadlines.h \
	api/decimal.h \
	api/dispatch.c api/dispatch.h \
	api/etag.c api/etag.h \
	api/event.c api/event.h \
	api/event_id.c api/event_id.h \
	api/filter.c api/filter.h \
	api/guard.c api/guard.h \
	api/handlers.h \
	api/hangup.c api/hangup.h \
	api/headers.c api/headers.h \
	api/http.c api/http.h \
	api/http_reply.c api/http_reply.h \
	api/http_stream.c api/http_stream.h \
	api/hub.c api/hub.h \
	api/json_reader.c api/json_reader.h \
	api/json_writer.c api/json_writer.h \
	api/kept_replies.c api/kept_replies.h \
	api/lifetime.c api/lifetime.h \
	api/listener.c \
	api/metrics.c api/metrics.h \
	api/multi.c \
	api/multi_parse.c api/multi_parse.h \
	api/multi_read.c api/multi_read.h \
	api/newcomers.c api/newcomers.h \
	api/openapi.h \
	api/percent.c api/percent.h \
	api/poll.c api/poll.h \
	api/precondition.c api/precondition.h \
	api/problem.c api/problem.h \
	api/query.c api/query.h \
	api/read.c api/read.h \
	api/reply.c api/reply.h \
	api/request.c api/request.h \
	api/result.c api/result.h \
	api/route.c api/route.h api/routes.h \
	api/service.c \
	api/session.c api/session.h \
	api/session_changes.c api/session_changes.h \
	api/session_stream.c \
	api/stream.c api/stream.h \
	api/submit.c api/submit.h \
	api/target.c api/target.h \
	api/watch.c api/watch.h api/watch_read.c \
	api/timing.c api/timing.h \
	api/worker.c api/worker.h \
	api/znode_get.c \
	api/znode_list.c api/znode_list.h \
	api/znode_write.c
nodist_api_libapi_a_SOURCES = api/openapi_text.c

# The contract as a C array, so that the server can serve its own.
EXTRA_DIST += openapi/openapi.yaml
CLEANFILES += api/openapi_text.c
api/openapi_text.c: $(srcdir)/openapi/openapi.yaml $(srcdir)/api/local.mk
	@$(MKDIR_P) api
	$(AM_V_GEN){ \
	  echo '#include "api/openapi.h"'; \
	  echo 'const unsigned char openapi_text[] = {'; \
	  od -An -v -tu1 $(srcdir)/openapi/openapi.yaml | sed 's/\([0-9][0-9]*\)/\1,/g'; \
	  echo '};'; \
	  echo 'const size_t openapi_length = sizeof openapi_text;'; \
	} > $@.tmp && mv $@.tmp $@
