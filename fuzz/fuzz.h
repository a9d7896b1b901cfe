
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the fuzzers share.  A property that does not hold traps, so that
 * libFuzzer keeps the input.
 */


#ifndef _RS_FUZZ_H_INCLUDED_
#define _RS_FUZZ_H_INCLUDED_


#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rs_str.h"


#define CHECK(cond)                                                          \
    do {                                                                     \
        if (!(cond)) {                                                       \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);       \
            __builtin_trap();                                                \
        }                                                                    \
    } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


#endif /* _RS_FUZZ_H_INCLUDED_ */
