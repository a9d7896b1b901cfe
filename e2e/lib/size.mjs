
/*
 * Copyright (C) rs-gateway contributors
 *
 * E2E=short of the environment leaves out what only takes long.
 */

export const FULL = process.env.E2E !== "short";

/** An option of test(): in the short run it is left out, and that is said. */
export const LONG = {skip: FULL ? false : "E2E=short"};
