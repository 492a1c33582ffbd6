// SPDX-License-Identifier: Apache-2.0
// The forms of replies that several resources share: a stat, a znode's value, a problem.
#pragma once

#include "api/request.h"

// Start a JSON reply: the writer appends to its body. reply_json_end ends the document.
struct json_writer reply_json(struct request *request, int status);
// Writes the member "stat".
void reply_write_stat(struct json_writer *json, const struct stat_fields *stat);
// Writes the members "data" and "encoding": text where the bytes are UTF-8, else base64.
void reply_write_data(struct json_writer *json, const struct znode *node,
                      enum encoding_kind encoding);
// The stat as an RFC 8941 dictionary, for replies whose body is not JSON.
void reply_set_curlew_stat(struct request *request, const struct stat_fields *stat);
// Turns a finished reply into 304 when If-None-Match has its tag. The body stays, because its length
// is what Content-Length of a 304 must say; it is not sent.
void reply_check_unchanged(struct request *request);
// Notes the zxid that the reply is true at.
void reply_set_zxid(struct request *request, uint64_t zxid);
// Makes the reply a problem. Anything put into the reply before is dropped. The problem's path is
// that of the request when it has none of its own and the request has one.
void reply_problem(struct request *request, struct problem *problem);
// The same, and leaves the JSON object open for more members; end with json_close and json_end.
struct json_writer reply_problem_open(struct request *request, const struct problem *problem);
