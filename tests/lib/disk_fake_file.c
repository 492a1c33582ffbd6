// SPDX-License-Identifier: Apache-2.0
// Content of a file of the fake disk. A page that was never written other than with zeros is
// absent.
#include "tests/lib/disk_fake_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    PAGE_BYTES = 4096,
    PAGE_SECTORS = PAGE_BYTES / DISK_FAKE_SECTOR,
};

struct page {
    unsigned dirty; // bit per sector whose `durable` version differs in age
    uint8_t current[PAGE_BYTES];
    uint8_t durable[]; // PAGE_BYTES while dirty, else absent
};

struct fake_inode {
    unsigned references;
    uint64_t size;
    uint64_t durable_size;
    struct page **pages; // NULL = zeros
    size_t page_count;
    size_t dirty_first; // pages that may be dirty: [dirty_first, dirty_end)
    size_t dirty_end;
};

struct fake_inode *fake_inode_new(void)
{
    struct fake_inode *inode = memory_zalloc(sizeof *inode);

    inode->references = 1;
    return inode;
}

struct fake_inode *fake_inode_ref(struct fake_inode *inode)
{
    inode->references++;
    return inode;
}

uint64_t fake_inode_unref(struct fake_inode *inode)
{
    uint64_t size = inode->size;

    ASSERT(inode->references > 0);
    if (--inode->references > 0)
        return 0;
    for (size_t i = 0; i < inode->page_count; i++)
        free(inode->pages[i]);
    free(inode->pages);
    free(inode);
    return size;
}

static size_t page_size(const struct page *page)
{
    return sizeof *page + (page->dirty != 0 ? PAGE_BYTES : 0);
}

struct fake_inode *fake_inode_clone(const struct fake_inode *inode)
{
    struct fake_inode *clone = memory_copy(inode, sizeof *inode);

    clone->references = 1;
    clone->pages = memory_copy(inode->pages, inode->page_count * sizeof(struct page *));
    for (size_t i = 0; i < clone->page_count; i++)
        if (clone->pages[i] != NULL)
            clone->pages[i] = memory_copy(inode->pages[i], page_size(inode->pages[i]));
    return clone;
}

uint64_t fake_inode_size(const struct fake_inode *inode)
{
    return inode->size;
}

static bool all_zero(const uint8_t *data, size_t length)
{
    return length == 0 || (data[0] == 0 && memcmp(data, data + 1, length - 1) == 0);
}

static size_t part_length(uint64_t offset, size_t length)
{
    size_t room = PAGE_BYTES - (size_t)(offset % PAGE_BYTES);

    return length < room ? length : room;
}

void fake_inode_read(const struct fake_inode *inode, uint64_t offset, void *into, size_t length)
{
    uint8_t *at = into;

    while (length > 0) {
        size_t part = part_length(offset, length);
        size_t index = (size_t)(offset / PAGE_BYTES);
        const struct page *page = index < inode->page_count ? inode->pages[index] : NULL;
        if (page != NULL)
            memcpy(at, page->current + offset % PAGE_BYTES, part);
        else
            memset(at, 0, part);
        at += part;
        offset += part;
        length -= part;
    }
}

static struct page **page_place(struct fake_inode *inode, size_t index)
{
    if (index >= inode->page_count) {
        size_t count = index + 1 > 2 * inode->page_count ? index + 1 : 2 * inode->page_count;
        inode->pages = memory_realloc(inode->pages, count * sizeof(struct page *));
        memset(inode->pages + inode->page_count, 0,
               (count - inode->page_count) * sizeof(struct page *));
        inode->page_count = count;
    }
    return &inode->pages[index];
}

// Saves the durable version of the sectors that a write to [at, at + length) of the page touches.
static void page_dirty(struct fake_inode *inode, size_t index, size_t at, size_t length)
{
    struct page **place = &inode->pages[index];

    if ((*place)->dirty == 0)
        *place = memory_realloc(*place, sizeof(struct page) + PAGE_BYTES);
    struct page *page = *place;
    for (size_t i = at / DISK_FAKE_SECTOR; i <= (at + length - 1) / DISK_FAKE_SECTOR; i++) {
        if ((page->dirty & 1U << i) != 0)
            continue;
        memcpy(page->durable + i * DISK_FAKE_SECTOR, page->current + i * DISK_FAKE_SECTOR,
               DISK_FAKE_SECTOR);
        page->dirty |= 1U << i;
    }
    if (inode->dirty_first == inode->dirty_end) {
        inode->dirty_first = index;
        inode->dirty_end = index + 1;
    }
    inode->dirty_first = index < inode->dirty_first ? index : inode->dirty_first;
    inode->dirty_end = index + 1 > inode->dirty_end ? index + 1 : inode->dirty_end;
}

static void write_part(struct fake_inode *inode, uint64_t offset, const uint8_t *data,
                       size_t length)
{
    size_t index = (size_t)(offset / PAGE_BYTES);
    size_t at = (size_t)(offset % PAGE_BYTES);
    bool absent = index >= inode->page_count || inode->pages[index] == NULL;

    if (absent && all_zero(data, length))
        return;
    if (absent)
        *page_place(inode, index) = memory_zalloc(sizeof(struct page));
    page_dirty(inode, index, at, length);
    memcpy(inode->pages[index]->current + at, data, length);
}

void fake_inode_write(struct fake_inode *inode, uint64_t offset, const void *data, size_t length)
{
    const uint8_t *at = data;

    while (length > 0) {
        size_t part = part_length(offset, length);
        write_part(inode, offset, at, part);
        at += part;
        offset += part;
        length -= part;
    }
    if (offset > inode->size)
        inode->size = offset;
}

void fake_inode_poke(struct fake_inode *inode, uint64_t offset, const void *data, size_t length)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < length; i++, offset++) {
        struct page **place = page_place(inode, (size_t)(offset / PAGE_BYTES));
        size_t within = (size_t)(offset % PAGE_BYTES);
        if (*place == NULL)
            *place = memory_zalloc(sizeof(struct page));
        (*place)->current[within] = at[i];
        if (((*place)->dirty & 1U << within / DISK_FAKE_SECTOR) != 0)
            (*place)->durable[within] = at[i];
    }
}

void fake_inode_sync(struct fake_inode *inode)
{
    for (size_t i = inode->dirty_first; i < inode->dirty_end; i++) {
        struct page *page = inode->pages[i];
        if (page == NULL || page->dirty == 0)
            continue;
        page->dirty = 0;
        inode->pages[i] = memory_realloc(page, sizeof *page);
    }
    inode->dirty_first = inode->dirty_end = 0;
    inode->durable_size = inode->size;
}

static void page_crash(struct page *page, uint64_t first_sector, const char *name,
                       disk_fake_choose choose, void *context)
{
    for (unsigned i = 0; i < PAGE_SECTORS; i++)
        if ((page->dirty & 1U << i) != 0 && !choose(context, name, first_sector + i))
            memcpy(page->current + i * DISK_FAKE_SECTOR, page->durable + i * DISK_FAKE_SECTOR,
                   DISK_FAKE_SECTOR);
}

// Bytes behind the end read as zeros if the file grows again.
static void cut(struct fake_inode *inode, uint64_t size)
{
    for (uint64_t at = size; at < inode->size; at += part_length(at, SIZE_MAX)) {
        size_t index = (size_t)(at / PAGE_BYTES);
        size_t within = (size_t)(at % PAGE_BYTES);
        if (index < inode->page_count && inode->pages[index] != NULL)
            memset(inode->pages[index]->current + within, 0, PAGE_BYTES - within);
    }
    inode->size = size;
}

uint64_t fake_inode_crash(struct fake_inode *inode, const char *name, disk_fake_choose choose,
                          void *context)
{
    uint64_t before = inode->size;

    bool keep_size = inode->size == inode->durable_size || choose(context, name, UINT64_MAX);
    for (size_t i = inode->dirty_first; i < inode->dirty_end; i++)
        if (inode->pages[i] != NULL && inode->pages[i]->dirty != 0)
            page_crash(inode->pages[i], (uint64_t)i * PAGE_SECTORS, name, choose, context);
    if (!keep_size)
        cut(inode, inode->durable_size);
    fake_inode_sync(inode);
    return before - inode->size;
}

uint64_t fake_inode_memory(const struct fake_inode *inode)
{
    uint64_t bytes = inode->page_count * sizeof(struct page *);

    for (size_t i = 0; i < inode->page_count; i++)
        if (inode->pages[i] != NULL)
            bytes += page_size(inode->pages[i]);
    return bytes;
}
