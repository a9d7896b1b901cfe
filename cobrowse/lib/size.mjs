/*
 * Copyright (C) rs-gateway contributors
 *
 * COBROWSE=short of the environment leaves out what only takes long.
 */

export const FULL = process.env.COBROWSE !== "short";

/** An option of test(): in the short run it is left out, and that is said. */
export const LONG = {skip: FULL ? false : "COBROWSE=short"};
