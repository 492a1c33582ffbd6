// SPDX-License-Identifier: Apache-2.0
// A number that was given must agree with the directory; one found by the host's name tells when the
// volumes of two containers were swapped.
#include "server/directory.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "storage/disk_posix.h"

// The number of a node whose directory is blank: given, or found by the host's name.
static enum error choose_id(const struct directory_owner *owner, uint16_t *id,
                            struct failure *failure)
{
    char host[PEER_HOST_MAX] = "";

    *id = (uint16_t)owner->id;
    if (*id == 0 && owner->list->count > 0) {
        gethostname(host, sizeof host - 1);
        *id = peer_list_by_host(owner->list, host);
    } else if (*id == 0) {
        *id = 1;
    }
    if (*id == 0)
        return failure_set(failure, ERROR_USAGE,
                           "this host's name, %s, is not in --peers: give the number of this node "
                           "with --id",
                           host);
    if (owner->list->count > 0 && peer_list_find(owner->list, *id) == NULL)
        return failure_set(failure, ERROR_USAGE, "--peers has no node %u, which --id names",
                           (unsigned)*id);
    return ERROR_OK;
}

static enum error format(const struct directory_owner *owner, struct disk *disk,
                         struct identity *identity, struct failure *failure)
{
    uint16_t id;
    enum error error = choose_id(owner, &id, failure);

    if (error == ERROR_OK)
        error = identity_format(disk, id, identity, failure);
    if (error != ERROR_OK)
        return error;
    log_write(LOG_INFO, "data directory formatted", "directory=%s node=%u", owner->path, id);
    return identity_boot(disk, id, identity, failure);
}

// In containers the volumes may have been swapped: the host's name then says another number.
static enum error check_host(const struct directory_owner *owner, const struct identity *identity,
                             struct failure *failure)
{
    char host[PEER_HOST_MAX] = "";

    if (owner->id != 0)
        return ERROR_OK;
    gethostname(host, sizeof host - 1);
    uint16_t named = peer_list_by_host(owner->list, host);
    if (named == 0 || named == identity->node)
        return ERROR_OK;
    return failure_set(failure, ERROR_FOREIGN,
                       "the data directory belongs to node %u, but this host, %s, is node %u in "
                       "--peers: the directories (volumes) of two nodes were swapped",
                       (unsigned)identity->node, host, (unsigned)named);
}

enum error directory_open(const struct directory_owner *owner, struct disk **disk,
                          struct identity *identity, struct failure *failure)
{
    enum error error = disk_posix_open(owner->path, disk, failure);

    if (error == ERROR_OK)
        error = identity_boot(*disk, owner->id, identity, failure);
    if (error == ERROR_MISSING)
        error = format(owner, *disk, identity, failure);
    return error == ERROR_OK ? check_host(owner, identity, failure) : error;
}
