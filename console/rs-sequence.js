
/*
 * Copyright (C) rs-gateway contributors
 *
 * Numbers of input messages ("Numbered input" of docs/protocol/peer.md): what
 * the host has not said to have taken is kept, and said again over the next
 * connection.  Pure.
 */


const WAITING_MAX = 4096;


export class RsSequence {
    #next = 1;
    #waiting = [];          /* {seq, frame}, by number */
    #on = false;

    /** The host takes numbers. */
    get on() {
        return this.#on;
    }

    /** What the host has not taken, as far as it said. */
    get waiting() {
        return this.#waiting.length;
    }

    /**
     * A host's hello: what it has taken so far; undefined: it knows no
     * numbers.  Gives the frames that it has to be told again.
     */
    hello(sequence) {
        this.#on = Number.isInteger(sequence) && sequence >= 0;

        if (!this.#on) {
            this.#waiting = [];
            return [];
        }

        this.taken(sequence);

        /* another host than before, or another page of this viewer: what it
         * has not had from us it never gets the beginning of */
        if ((this.#waiting[0]?.seq ?? this.#next) !== sequence + 1) {
            this.#waiting = [];
            this.#next = sequence + 1;
        }

        return this.#waiting.map(({frame}) => frame);
    }

    /** All up to this one was taken. */
    taken(sequence) {
        if (Number.isInteger(sequence)) {
            this.#waiting = this.#waiting.filter(({seq}) => seq > sequence);
        }
    }

    /** The frame of a message under the next number; null: too much waits. */
    number(message) {
        if (this.#waiting.length >= WAITING_MAX) {
            return null;
        }

        const seq = this.#next++;
        const frame = JSON.stringify({...message, seq});

        this.#waiting.push({seq, frame});

        return frame;
    }
}
