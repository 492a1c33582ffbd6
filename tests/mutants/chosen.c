// SPDX-License-Identifier: Apache-2.0
// Which mutant this run is: the environment variable CURLEW_MUTANT, 0 for none.
#include <stdlib.h>

extern int mutant_chosen;
int mutant_chosen;

__attribute__((constructor)) static void choose(void)
{
    const char *number = getenv("CURLEW_MUTANT");

    mutant_chosen = number != NULL ? (int)strtol(number, NULL, 10) : 0;
}
