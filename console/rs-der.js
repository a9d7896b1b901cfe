
/*
 * Copyright (C) rs-gateway contributors
 *
 * DER (X.690), read: tags, lengths and what they contain, nothing of what it
 * means.  Definite lengths alone, each within what contains it; whatever is
 * of another form is a DerError.  Pure.
 */


const DEPTH_MAX = 24;

export const TAG = Object.freeze({
    INTEGER: 0x02, BIT_STRING: 0x03, OCTET_STRING: 0x04, NULL: 0x05,
    OID: 0x06, SEQUENCE: 0x30, SET: 0x31,
});


export class DerError extends Error {
    constructor(text) {
        super(text);
        this.name = "DerError";
    }
}


/** [n] of a SEQUENCE: constructed, or of a string. */
export function context(n, constructed = true) {
    return (constructed ? 0xa0 : 0x80) | n;
}


/** One element: its tag, what it contains, and all of it. */
export class Der {
    #depth;

    /** Reads the element at the beginning of the bytes.
     *  @param {Uint8Array} bytes */
    constructor(bytes, depth = 0) {
        const [head, length] = headOf(bytes);

        if (depth > DEPTH_MAX) {
            throw new DerError("too deep");
        }

        this.#depth = depth;
        this.tag = bytes[0];
        this.body = bytes.subarray(head, head + length);
        this.whole = bytes.subarray(0, head + length);
    }

    /** The only element of these bytes. @param {Uint8Array} bytes */
    static read(bytes) {
        const der = new Der(bytes);

        if (der.whole.length !== bytes.length) {
            throw new DerError("something follows the last element");
        }

        return der;
    }

    /** Itself, if it is of that tag. */
    is(tag) {
        if (this.tag !== tag) {
            throw new DerError(`an element of tag 0x${this.tag.toString(16)
                               } where 0x${tag.toString(16)} was to be`);
        }

        return this;
    }

    /** What it is made of. */
    get children() {
        const found = [];
        let rest = this.body;

        if ((this.tag & 0x20) === 0) {
            throw new DerError("an element that contains no others");
        }

        while (rest.length > 0) {
            const der = new Der(rest, this.#depth + 1);

            found.push(der);
            rest = rest.subarray(der.whole.length);
        }

        return found;
    }

    /** The one element it contains. */
    get child() {
        const all = this.children;

        if (all.length !== 1) {
            throw new DerError("one element was to be there");
        }

        return all[0];
    }

    /** Of an INTEGER that is small and not negative. */
    get number() {
        const {body} = this.is(TAG.INTEGER);

        if (body.length === 0 || body.length > 5 || body[0] >= 0x80) {
            throw new DerError("an integer out of bounds");
        }

        return body.reduce((n, byte) => n * 256 + byte, 0);
    }

    /** "1.2.840.113549" */
    get oid() {
        const parts = [];
        let n = 0;

        for (const byte of this.is(TAG.OID).body) {
            n = n * 128 + (byte & 0x7f);

            if (n > Number.MAX_SAFE_INTEGER / 256) {
                throw new DerError("an object identifier out of bounds");
            }

            if (byte < 0x80) {
                parts.push(n);
                n = 0;
            }
        }

        if (parts.length === 0) {
            throw new DerError("an empty object identifier");
        }

        const first = Math.min(Math.floor(parts[0] / 40), 2);

        return [first, parts[0] - 40 * first, ...parts.slice(1)].join(".");
    }

    /** Of a BIT STRING of whole bytes. */
    get bits() {
        const {body} = this.is(TAG.BIT_STRING);

        if (body.length === 0 || body[0] !== 0) {
            throw new DerError("bits that are no whole bytes");
        }

        return body.subarray(1);
    }
}


/* how long tag and length are, and what they announce */
function headOf(bytes) {
    if (bytes.length < 2) {
        throw new DerError("it ends in the middle");
    }

    if ((bytes[0] & 0x1f) === 0x1f) {
        throw new DerError("a tag of many bytes");
    }

    let head = 2;
    let length = bytes[1];

    if (length >= 0x80) {
        const more = length & 0x7f;

        if (more === 0 || more > 4 || bytes.length < 2 + more) {
            throw new DerError("a length that is not of DER");
        }

        length = 0;

        for (let i = 0; i < more; i++) {
            length = length * 256 + bytes[2 + i];
        }

        head += more;
    }

    if (length > bytes.length - head) {
        throw new DerError("it ends in the middle");
    }

    return [head, length];
}


/** An element made: its tag, and what it contains.
 *  @param {number} tag  @param {...Uint8Array} parts */
export function der(tag, ...parts) {
    const length = parts.reduce((n, part) => n + part.length, 0);
    const digits = [];

    for (let n = length; n > 0; n = Math.floor(n / 256)) {
        digits.unshift(n & 0xff);
    }

    const head = length < 0x80 ? [tag, length]
                               : [tag, 0x80 | digits.length, ...digits];
    const bytes = new Uint8Array(head.length + length);
    let at = head.length;

    bytes.set(head);

    for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
    }

    return bytes;
}
