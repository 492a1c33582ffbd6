// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over its corpus without libFuzzer: every file of tests/fuzz/corpus/<target>,
// and every truncation and some bit flips of each.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 1 << 20, TRUNCATIONS_MAX = 2000, FLIPS_MAX = 2000 };

// Hands over a copy of its own size, so that a read past the end is seen by the sanitizers.
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_variants(uint8_t *data, size_t size)
{
    size_t step = size / TRUNCATIONS_MAX + 1;

    run(data, size);
    for (size_t length = 0; length < size; length += step)
        run(data, length);
    step = size * 8 / FLIPS_MAX + 1;
    for (size_t bit = 0; bit < size * 8; bit += step) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        run(data, size);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static int run_file(const char *directory, const char *name)
{
    static uint8_t data[FILE_MAX];
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return 0;
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    run_variants(data, size);
    return 1;
}

int main(int argc, char **argv)
{
    const char *source = getenv("CURLEW_SOURCE");
    const char *target = strrchr(argv[0], '_');
    char directory[2048];
    int files = 0;

    (void)argc;
    if (source == NULL || target == NULL)
        return 64;
    snprintf(directory, sizeof directory, "%s/tests/fuzz/corpus/%s", source, target + 1);
    DIR *listing = opendir(directory);
    if (listing == NULL) {
        fprintf(stderr, "no corpus: %s\n", directory);
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] != '.')
            files += run_file(directory, entry->d_name);
    }
    closedir(listing);
    printf("%s: %d files\n", target + 1, files);
    return files > 0 ? 0 : 1;
}
