// SPDX-License-Identifier: Apache-2.0
// The response holds a reference of its own, because the library does not say whether it is done with
// the response or with the request first.
#include "api/http_stream.h"

#include <stdlib.h>

#include "api/http_reply.h"
#include "api/stream.h"
#include "base/memory.h"

enum { BLOCK_BYTES = 1024 }; // of no use to chunked replies, which are read into the send buffer

struct reading {
    struct connection *connection;
    struct stream *stream; // a reference
};

static void resume(void *context)
{
    struct connection *connection = context;

    connection->request.service->unpark_later(&connection->request);
}

static void hang_up(void *context, bool left)
{
    stream_hang_up(context, left);
}

// Suspending comes first: whoever wakes the stream from then on may resume the connection.
static ssize_t read_next(void *context, uint64_t position, char *into, size_t room)
{
    struct reading *reading = context;
    struct request *request = &reading->connection->request;

    (void)position;
    if (reading->connection->parked)
        request->service->leave_park(request);
    ssize_t length = stream_read(reading->stream, into, room);
    if (length > 0)
        return length;
    if (length < 0 || !request->service->park(request))
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (!stream_sleep(reading->stream))
        resume(reading->connection);
    return 0;
}

static void end(void *context)
{
    struct reading *reading = context;

    stream_unref(reading->stream);
    free(reading);
}

enum MHD_Result http_stream_queue(struct connection *connection, struct hangups *hangups)
{
    struct request *request = &connection->request;
    struct stream *stream = request->reply.stream;
    struct reading *reading = memory_zalloc(sizeof *reading);

    reading->connection = connection;
    reading->stream = stream_ref(stream);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_next, reading, end);
    if (response == NULL) {
        end(reading);
        return MHD_NO;
    }
    stream_attach(stream, resume, connection);
    hangups_arm(hangups, &connection->hangup, hang_up, stream);
    return http_reply_queue_stream(connection->handle, request, response);
}
