# api/: REST. The only place that includes <microhttpd.h>.
noinst_LIBRARIES += api/libapi.a
api_libapi_a_CFLAGS = $(AM_CFLAGS) $(MHD_CFLAGS) $(JSON_CFLAGS) $(GNUTLS_CFLAGS)
api_libapi_a_SOURCES = \
	api/api.h
