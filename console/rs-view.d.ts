
/*
 * Copyright (C) rs-gateway contributors
 *
 * The type of rs-view.js: <rs-view>.  docs/operating/client.md says how it
 * is used.
 */

import type { Pins, RsRemote } from "./rs-client.js";

export interface Place {
    ticket?: string;
    link?: string;
    pin?: string;
    name?: string;
}

export class RsView extends HTMLElement {
    /** Asked for a place when it starts, instead of the attributes. */
    provider: (() => Place | Promise<Place>) | null;
    pins: Pins | null;
    readonly remote: RsRemote | null;
    start(): Promise<void>;
    leave(): Promise<void>;
}

declare global {
    interface HTMLElementTagNameMap {
        "rs-view": RsView;
    }
}
