
/*
 * Copyright (C) rs-gateway contributors
 *
 * The messages of a terminal's pipe, docs/protocol/pipe.md: the first byte
 * says what one is.  Pure.
 */


const DATA = 0;
const RESIZE = 1;
const PAUSE = 2;

const CHUNK = 32768;                /* bytes of input in one message */
const SIDE_MAX = 1000;              /* columns, rows */


/** What was typed or pasted, as messages. @param {Uint8Array} bytes */
export function ttyData(bytes) {
    const messages = [];

    for (let at = 0; at < bytes.length; at += CHUNK) {
        const part = bytes.subarray(at, at + CHUNK);
        const message = new Uint8Array(part.length + 1);

        message[0] = DATA;
        message.set(part, 1);
        messages.push(message);
    }

    return messages;
}


/** The size of the terminal, in characters: two integers of 16 bits. */
export function ttyResize(columns, rows) {
    const message = new Uint8Array(5);
    const view = new DataView(message.buffer);

    message[0] = RESIZE;
    view.setUint16(1, Math.min(Math.max(columns, 1), SIDE_MAX));
    view.setUint16(3, Math.min(Math.max(rows, 1), SIDE_MAX));

    return message;
}


/** Whether the other side is to wait: this one cannot follow. */
export function ttyPause(on) {
    return new Uint8Array([PAUSE, on ? 1 : 0]);
}


/**
 * What the shell wrote; null: a message of another kind, to be ignored.
 * @param {Uint8Array} message
 */
export function ttyOutput(message) {
    return message.length > 0 && message[0] === DATA ? message.subarray(1)
                                                     : null;
}
