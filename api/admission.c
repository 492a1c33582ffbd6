// SPDX-License-Identifier: Apache-2.0
// A small hash table from address to count, with a lock that is taken once per connection.
#include "api/admission.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"

enum { BUCKETS = 256 };

struct counted {
    struct counted *next;
    uint8_t address[16];
    uint32_t connections;
};

struct admission {
    pthread_mutex_t lock;
    uint32_t total;
    uint32_t total_max;
    uint32_t per_address_max;
    uint64_t seed; // so that nobody can choose addresses of one bucket
    struct counted *buckets[BUCKETS];
};

struct admission *admission_new(uint32_t total_max, uint32_t per_address_max)
{
    struct admission *admission = memory_zalloc(sizeof *admission);

    pthread_mutex_init(&admission->lock, NULL);
    admission->total_max = total_max;
    admission->per_address_max = per_address_max;
    admission->seed = random_u64();
    return admission;
}

void admission_free(struct admission *admission)
{
    if (admission == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (admission->buckets[i] != NULL) {
            struct counted *counted = admission->buckets[i];
            admission->buckets[i] = counted->next;
            free(counted);
        }
    }
    pthread_mutex_destroy(&admission->lock);
    free(admission);
}

static void normalise(const struct sockaddr *address, uint8_t into[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    memset(into, 0, 16);
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        memcpy(into, mapped, sizeof mapped);
        memcpy(into + 12, &v4.sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        memcpy(into, &v6.sin6_addr, 16);
    }
}

// The link that points at the address's entry, or at the end of its bucket.
static struct counted **find(struct admission *admission, const uint8_t address[16])
{
    struct counted **link = &admission->buckets[hash64(address, 16, admission->seed) % BUCKETS];

    while (*link != NULL && memcmp((*link)->address, address, 16) != 0)
        link = &(*link)->next;
    return link;
}

enum error admission_enter(struct admission *admission, const struct sockaddr *address)
{
    uint8_t key[16];
    enum error error = ERROR_OK;

    normalise(address, key);
    pthread_mutex_lock(&admission->lock);
    struct counted **link = find(admission, key);
    uint32_t connections = *link != NULL ? (*link)->connections : 0;
    if (admission->total >= admission->total_max)
        error = ERROR_OVERLOADED;
    else if (connections >= admission->per_address_max)
        error = ERROR_TOO_MANY_REQUESTS;
    if (error == ERROR_OK) {
        if (*link == NULL) {
            *link = memory_zalloc(sizeof **link);
            memcpy((*link)->address, key, sizeof key);
        }
        (*link)->connections++;
        admission->total++;
    }
    pthread_mutex_unlock(&admission->lock);
    return error;
}

void admission_leave(struct admission *admission, const struct sockaddr *address)
{
    uint8_t key[16];

    normalise(address, key);
    pthread_mutex_lock(&admission->lock);
    struct counted **link = find(admission, key);
    struct counted *counted = *link;
    ASSERT(counted != NULL);
    admission->total--;
    if (--counted->connections == 0) {
        *link = counted->next;
        free(counted);
    }
    pthread_mutex_unlock(&admission->lock);
}
