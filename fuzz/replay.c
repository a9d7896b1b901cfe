
/*
 * Copyright (C) rs-gateway contributors
 *
 * Runs one fuzzer over its corpus, without libFuzzer, as a TAP test: what
 * once crashed must not crash again.  Each input stands in memory of its own
 * size, so that a sanitizer sees the first byte read past it.
 */


#include "fuzz.h"

#include <dirent.h>


#define INPUT_MAX  (1024 * 1024)


static int
replay(const char *path)
{
    FILE     *f;
    char     *whole;
    size_t    n;
    uint8_t  *input;

    f = fopen(path, "r");

    if (f == NULL) {
        return 0;
    }

    whole = malloc(INPUT_MAX);
    n = fread(whole, 1, INPUT_MAX, f);
    (void) fclose(f);

    input = malloc(n ? n : 1);
    memcpy(input, whole, n);
    free(whole);

    (void) LLVMFuzzerTestOneInput(input, n);
    free(input);

    return 1;
}


int
main(void)
{
    int             n;
    DIR            *dir;
    char            folder[4096], path[8192];
    const char     *top;
    struct dirent  *e;

    n = 0;
    top = getenv("RS_TOP");
    (void) snprintf(folder, sizeof(folder), "%s/fuzz/corpus/%s",
                    top ? top : "..", FUZZ_NAME);

    dir = opendir(folder);

    while (dir != NULL && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] != '.') {
            (void) snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
            n += replay(path);
        }
    }

    if (dir != NULL) {
        (void) closedir(dir);
    }

    (void) LLVMFuzzerTestOneInput((const uint8_t *) "", 0);

    printf("%sok 1 - %d inputs of %s\n1..1\n", n ? "" : "not ", n, FUZZ_NAME);

    return n == 0;
}
