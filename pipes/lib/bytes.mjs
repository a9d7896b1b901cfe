
/*
 * Copyright (C) rs-gateway contributors
 *
 * Bytes that look random and can be told by their place: a stream of them is
 * whole, a beginning of itself, or wrong.
 */

import { createCipheriv, createHash } from "node:crypto";
import { once } from "node:events";

const ZERO = Buffer.alloc(64 * 1024);


/** The stream of a seed, in pieces of 64 KiB. */
export class Bytes {
    constructor(seed) {
        const key = createHash("sha256").update(seed).digest();

        this.cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
    }

    next(len = ZERO.length) {
        return this.cipher.update(ZERO.subarray(0, len));
    }
}


/** So many bytes of a seed into a stream, as fast as it takes them. */
export async function pourInto(stream, seed, count) {
    const bytes = new Bytes(seed);

    for (let left = count; left > 0;) {
        const chunk = bytes.next(Math.min(left, ZERO.length));

        left -= chunk.length;

        if (!stream.write(chunk)) {
            await once(stream, "drain");
        }
    }

    stream.end();
}


/** The SHA-256 of so many bytes of a seed. */
export function hashOf(seed, count) {
    const bytes = new Bytes(seed);
    const hash = createHash("sha256");

    for (let left = count; left > 0; left -= ZERO.length) {
        hash.update(bytes.next(Math.min(left, ZERO.length)));
    }

    return hash.digest("hex");
}


/** Compares what comes with the stream of a seed. */
export class Check {
    constructor(seed) {
        this.bytes = new Bytes(seed);
        this.count = 0;
        this.right = true;
    }

    take(chunk) {
        this.count += chunk.length;

        for (let i = 0; i < chunk.length; i += ZERO.length) {
            const part = chunk.subarray(i, i + ZERO.length);

            this.right &&= this.bytes.next(part.length).equals(part);
        }
    }
}
