
/*
 * Copyright (C) rs-gateway contributors
 *
 * PIPES=short of the environment moves fewer bytes, and breaks fewer pipes.
 */

export const FULL = process.env.PIPES !== "short";

/** Bytes through each path, each way. */
export const BYTES = FULL ? 1024 ** 3 : 64 * 1024 ** 2;

/** Pipes that are broken, each way of doing so. */
export const BREAKS = FULL ? 12 : 2;
