
/*
 * Copyright (C) rs-gateway contributors
 *
 * SHA-256 (FIPS 180-4) piece by piece: crypto.subtle wants the whole at once,
 * which a file of gigabytes cannot be.  No DOM.
 */

const BLOCK = 64;

/* the first 32 bits of the fractional parts of square and cube roots of the
 * first primes (4.2.2, 5.3.3), worked out in integers: a double is too short
 * for neither, but how its roots are rounded is nobody's promise */
const {START, ROUND} = constants();


function constants() {
    const primes = [];

    for (let n = 2; primes.length < 64; n++) {
        if (primes.every((p) => n % p !== 0)) {
            primes.push(n);
        }
    }

    return {
        START: Int32Array.from(primes.slice(0, 8), (p) => fraction(p, 2n)),
        ROUND: Int32Array.from(primes, (p) => fraction(p, 3n)),
    };
}


/* the root of n * 2^(32 * degree), by halving; its low 32 bits */
function fraction(n, degree) {
    const of = BigInt(n) << (32n * degree);
    let low = 0n;
    let high = 1n << 40n;

    while (high - low > 1n) {
        const middle = (low + high) >> 1n;

        if (middle ** degree <= of) {
            low = middle;

        } else {
            high = middle;
        }
    }

    return Number(BigInt.asIntN(32, low));
}


export class Sha256 {
    #state = Int32Array.from(START);
    #words = new Int32Array(64);
    #rest = new Uint8Array(BLOCK);
    #used = 0;              /* of the rest */
    #length = 0;            /* bytes so far */

    /** @param {Uint8Array} bytes */
    update(bytes) {
        let at = 0;

        this.#length += bytes.length;

        if (this.#used > 0) {
            at = Math.min(BLOCK - this.#used, bytes.length);
            this.#rest.set(bytes.subarray(0, at), this.#used);
            this.#used += at;

            if (this.#used < BLOCK) {
                return this;
            }

            this.#block(this.#rest, 0);
            this.#used = 0;
        }

        for (; at + BLOCK <= bytes.length; at += BLOCK) {
            this.#block(bytes, at);
        }

        this.#rest.set(bytes.subarray(at));
        this.#used = bytes.length - at;

        return this;
    }

    /** Of what came so far, 64 digits; more may come afterwards. */
    hex() {
        const last = new Sha256();
        const bits = BigInt(this.#length) * 8n;
        const tail = new Uint8Array(this.#used < 56 ? BLOCK : 2 * BLOCK);

        tail.set(this.#rest.subarray(0, this.#used));
        tail[this.#used] = 0x80;
        new DataView(tail.buffer).setBigUint64(tail.length - 8, bits);

        last.#state = Int32Array.from(this.#state);

        for (let at = 0; at < tail.length; at += BLOCK) {
            last.#block(tail, at);
        }

        return Array.from(last.#state, (word) =>
            (word >>> 0).toString(16).padStart(8, "0")).join("");
    }

    #block(bytes, at) {
        const w = this.#words;
        const s = this.#state;
        let a = s[0], b = s[1], c = s[2], d = s[3];
        let e = s[4], f = s[5], g = s[6], h = s[7];

        for (let i = 0; i < 16; i++, at += 4) {
            w[i] = bytes[at] << 24 | bytes[at + 1] << 16
                   | bytes[at + 2] << 8 | bytes[at + 3];
        }

        for (let i = 16; i < 64; i++) {
            const x = w[i - 15];
            const y = w[i - 2];

            w[i] = (w[i - 16] + w[i - 7]
                    + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3)
                    + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13)
                       ^ y >>> 10)) | 0;
        }

        for (let i = 0; i < 64; i++) {
            const t1 = (h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21)
                             ^ (e >>> 25 | e << 7))
                        + (e & f ^ ~e & g) + ROUND[i] + w[i]) | 0;
            const t2 = (((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19)
                         ^ (a >>> 22 | a << 10))
                        + (a & b ^ a & c ^ b & c)) | 0;

            h = g;
            g = f;
            f = e;
            e = (d + t1) | 0;
            d = c;
            c = b;
            b = a;
            a = (t1 + t2) | 0;
        }

        s[0] += a;
        s[1] += b;
        s[2] += c;
        s[3] += d;
        s[4] += e;
        s[5] += f;
        s[6] += g;
        s[7] += h;
    }
}
