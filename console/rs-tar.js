
/*
 * Copyright (C) rs-gateway contributors
 *
 * What is in a tar archive (POSIX ustar) that is a Blob: names and where
 * their bytes are.  Nothing is unpacked, and no more is read than the heads.
 */

import { RsError } from "./rs-api.js";


const BLOCK = 512;
const ENTRIES_MAX = 200000;


function broken(detail) {
    return new RsError("archive_form", {detail});
}


function textOf(bytes) {
    const end = bytes.indexOf(0);

    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}


function octal(bytes) {
    const digits = textOf(bytes).trim();

    if (!/^[0-7]{1,11}$/.test(digits)) {
        throw broken("a size that is no number");
    }

    return parseInt(digits, 8);
}


/* the sum over the head, its own field as blanks */
function sumOf(head) {
    let sum = 8 * 32;

    head.forEach((byte, i) => {
        sum += i >= 148 && i < 156 ? 0 : byte;
    });

    return sum;
}


/**
 * The regular files of an archive, by the last part of their names; two of
 * one name are refused.
 *
 * @param {Blob} blob
 * @returns {Promise<Map<string, Blob>>}  RsError: archive_form
 */
export async function readTar(blob) {
    const files = new Map();
    let at = 0;

    for (;;) {
        const head = new Uint8Array(await blob.slice(at, at + BLOCK)
                                              .arrayBuffer());

        if (head.length < BLOCK) {
            throw broken("it ends in the middle");
        }

        if (head.every((byte) => byte === 0)) {
            return files;
        }

        if (textOf(head.subarray(257, 262)) !== "ustar"
            || octal(head.subarray(148, 156)) !== sumOf(head))
        {
            throw broken("it is no tar archive");
        }

        const size = octal(head.subarray(124, 136));
        const type = head[156];

        at += BLOCK;

        if (size > blob.size - at) {
            throw broken("it ends in the middle");
        }

        if (type === 0x30 || type === 0) {
            const name = textOf(head.subarray(0, 100)).split("/").at(-1);

            if (files.has(name) || files.size === ENTRIES_MAX) {
                throw broken(`“${name}” is in it twice, or too much is`);
            }

            files.set(name, blob.slice(at, at + size));
        }

        at += Math.ceil(size / BLOCK) * BLOCK;
    }
}
