
/*
 * Copyright (C) rs-gateway contributors
 *
 * The types of rs-client.js, version 1: what a page of somebody else's may
 * rely on.  docs/operating/client.md says how it is used.
 */

/** Of what is described here, by semver.org. */
export const VERSION: string;

export type Role = "controller" | "viewer" | "recorder";
export type Direction = "both" | "to_device" | "from_device" | "none";

export type Recording = "on" | "off" | "lost";

export type RemoteState =
    "joining" | "waiting" | "connecting" | "asking" | "connected"
    | "unsteady" | "failed" | "closed";

/** A code of docs/protocol/errors.json, or one of the client's own. */
export class RsError extends Error {
    constructor(code: string, more?: {
        status?: number, title?: string, detail?: string, pointer?: string,
        request_id?: string, retry_after_s?: number});
    readonly code: string;
    readonly status: number;
    readonly title: string;
    readonly detail: string;
    readonly pointer: string | null;
    readonly request_id: string | null;
    readonly retry_after_s: number | null;
}

export class RsEvent<T = unknown> extends Event {
    constructor(type: string, detail?: T);
    readonly detail: T;
}

/** An EventTarget whose events are of these types. */
declare abstract class RsTarget<M> {
    addEventListener<K extends keyof M & string>(
        type: K, listener: (event: RsEvent<M[K]>) => void,
        options?: boolean | AddEventListenerOptions): void;
    removeEventListener<K extends keyof M & string>(
        type: K, listener: (event: RsEvent<M[K]>) => void,
        options?: boolean | EventListenerOptions): void;
}

export interface Path {
    kind: "direct" | "relay" | "pipe";
    protocol: "udp" | "tcp" | "tls";
    /** Types of ICE candidates; there are none of a pipe. */
    local?: string;
    remote?: string;
    rtt_ms: number;
    region?: string;
}

export interface Video {
    width: number;
    height: number;
    frames: number;
    fps: number;
    bytes: number;
}

export interface Monitor {
    id: string;
    name: string;
    x: number;
    y: number;
    width: number;
    height: number;
    primary: boolean;
}

/** What is missing is not there. */
export interface Features {
    clipboard?: Direction;
    files?: Direction;
    chat?: boolean;
    sound?: boolean;
    monitors?: Monitor[];
}

export interface Peer {
    id: string;
    role: string;
    name?: string | null;
    state?: string;
    /** Joined by a link or a ticket for somebody who is no user. */
    guest?: boolean;
    path?: Path;
}

export interface Verdict {
    how: "first" | "pinned" | "rotated" | "browser";
    short: string;
    at: number;
    operator: {verified: boolean, name: string, reason: string} | null;
}

export interface Closed {
    /** "left", "error", or why the session ended. */
    reason: string;
    error: RsError | null;
}

/** The keys of devices that this browser knows: see docs/design/identity.md. */
export class Pins {
    constructor(store: {
        get(name: string): Promise<unknown>,
        add(name: string, value: unknown): Promise<unknown>,
        put(name: string, value: unknown): Promise<unknown>,
        delete(name: string): Promise<unknown>,
        entries(prefix: string): Promise<Array<[string, unknown]>>,
    });
    get(deviceId: string): Promise<{public_key: string, at: number} | null>;
    list(): Promise<Array<{device_id: string, short: string, at: number}>>;
    reset(deviceId: string): Promise<unknown>;
}

/** One of ticket, link, and key with device_id. */
export interface ConnectOptions {
    /** The gateway's API, absolute or as seen from the page. */
    base: string;

    ticket?: string;

    /** "…#join=…" or "…#guest=…", or what is behind the sign. */
    link?: string;
    pin?: string;
    name?: string;

    key?: string | (() => string);
    device_id?: string;
    role?: Role;

    /** Where keys of devices are kept; in memory, if nothing is said. */
    pins?: Pins;

    /** "auto" if nothing is said: a pipe through the gateway, sealed, where
     *  there is no path for a connection. */
    carrier?: "auto" | "pipe" | "webrtc";

    RTCPeerConnection?: typeof RTCPeerConnection;
    WebSocket?: typeof WebSocket;
    fetch?: typeof fetch;
}

export interface RemoteEvents {
    state: RemoteState;
    joined: RsRemote;
    stream: MediaStream;
    control: boolean;
    features: Features;
    people: Peer[];
    /** Whether the session is recorded; "lost": it is to be again. */
    recording: Recording;
    /** Place in the line for a browser, null: none is waited for. */
    queue: number | null;
    verified: Verdict;
    path: Path;
    video: Video;
    told: Record<string, unknown>;
    problem: RsError;
    closed: Closed;
}

/** Joins a session and reaches its device. */
export function connect(options: ConnectOptions): RsRemote;

export class RsRemote extends RsTarget<RemoteEvents> {
    private constructor(options: ConnectOptions);
    readonly state: RemoteState;
    readonly stream: MediaStream | null;

    /** Input goes to the device now. */
    readonly control: boolean;
    readonly features: Features;
    readonly recording: Recording;
    readonly input: RsInput;
    readonly typer: RsTyper;

    /** From "joined" on. */
    readonly clipboard: RsClipboard | null;
    readonly chat: RsChat | null;
    /** Of a session whose host is a browser in the rendering service. */
    readonly page: RsPage | null;
    readonly session: object | null;
    readonly peer: RsPeer | null;

    /** A data channel of docs/protocol/peer.md. */
    channel(label: string): RsChannel;

    /** "request", "release", "grant"; a moderator: "take", "lock", "unlock" */
    askControl(op?: string, to?: string): boolean;

    /** Reaches for the device anew. */
    restart(): void;
    leave(): Promise<void>;
}

/** Mouse and keys, with the names of DOM events; positions are of the element. */
export class RsInput {
    constructor(send: (message: object) => unknown);
    setGeometry(boxWidth: number, boxHeight: number, videoWidth: number,
        videoHeight: number): void;
    readonly holding: boolean;
    readonly escaping: boolean;
    move(x: number, y: number): void;
    buttonDown(button: number, x: number, y: number): boolean;
    buttonUp(button: number, x: number, y: number): boolean;
    wheel(deltaX: number, deltaY: number, deltaMode: number, x: number,
        y: number): void;
    keyDown(event: {key: string, code: string, repeat?: boolean,
                    isComposing?: boolean}): boolean;
    keyUp(event: {key: string, code: string}): boolean;
    chord(keys: ReadonlyArray<readonly [key: string, code: string]>): void;
    press(key: string, code: string): void;
    text(text: string): void;
    paste(): void;
    release(): void;
}

/** What a browser keeps for itself. */
export const CHORDS: ReadonlyArray<{
    id: string, label: string, keys: Array<[string, string]>}>;

export class RsTyper {
    constructor(input: RsInput);
    readonly typing: boolean;
    type(text: string): Promise<void>;
    stop(): void;
}

export interface ClipboardEvents {
    direction: Direction;
    text: string;
}

export class RsClipboard extends RsTarget<ClipboardEvents> {
    constructor(channel: RsChannel);
    readonly direction: Direction;
    readonly sends: boolean;
    readonly receives: boolean;
    send(text: string): Promise<void>;
    close(): void;
}

export interface Said {
    text: string;
    name: string;
    from: string;
    device: boolean;
    mine: boolean;
}

export interface ChatEvents {
    open: boolean;
    said: Said;
}

export class RsChat extends RsTarget<ChatEvents> {
    constructor(channel: RsChannel);
    readonly open: boolean;
    readonly person: boolean;
    readonly max: number;
    say(text: string): Promise<void>;
    close(): void;
}

/** What the browser of a rendered session shows. */
export interface PageState {
    url: string;
    title: string;
    loading: boolean;
    back: boolean;
    forward: boolean;
    /** Documents may be shown, of at most so many bytes. */
    documents: boolean;
    max_document: number;
    downloads: boolean;
}

export interface Blocked {
    url: string;
    why: "policy" | "network" | "scheme" | "submit" | "other";
}

export interface ShownDocument {
    id: number;
    name: string;
    state: "converting" | "shown" | "refused";
    code: string;
    message: string;
}

export interface PageEvents {
    open: boolean;
    page: PageState;
    blocked: Blocked;
    crashed: boolean;
    downloaded: {name: string};
    document: ShownDocument;
}

/** The browser of a rendered session: docs/protocol/peer.md, "rs-page". */
export class RsPage extends RsTarget<PageEvents> {
    constructor(channel: RsChannel);
    readonly open: boolean;
    readonly state: PageState;
    go(url: string): boolean;
    back(): boolean;
    forward(): boolean;
    reload(): boolean;
    stop(): boolean;
    /** A file that went over rs-files, by the name it arrived under. */
    show(name: string): number;
    close(): void;
}

export interface ChannelEvents {
    open: null;
    message: Record<string, unknown>;
    binary: ArrayBuffer;
    drained: null;
    close: null;
}

export interface RsChannel extends RsTarget<ChannelEvents> {
    readonly label: string;
    readonly open: boolean;
    readonly buffered: number;
    send(message: object): boolean;
    sendBinary(bytes: ArrayBuffer | ArrayBufferView): boolean;
}

/** The lines to the host: what RsRemote does not have of its own. */
export class RsPeer extends EventTarget {
    private constructor();
    readonly state: string;
    readonly ready: boolean;
    readonly detour: boolean;
    readonly features: Features;
    send(message: object): boolean;
    channel(label: string): RsChannel;
    restart(): void;
    close(): void;
}

export {};
