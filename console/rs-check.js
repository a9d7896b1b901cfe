
/*
 * Copyright (C) rs-gateway contributors
 *
 * What this browser's network lets through: the gateway by HTTPS and WSS, and
 * each STUN and TURN server by an RTCPeerConnection of its own, so that one
 * which is blocked hides no other.  No DOM; everything that reaches out can be
 * handed in.
 *
 * A check is what docs/protocol/peer.md calls one in "report": {kind,
 * protocol, url, result, ms?, code?}; here result is ok, silent, refused or
 * closed, for a browser does not tell more.
 */

import { socketUrl, systemClock } from "./rs-client.js";


/* Chromium gives STUN over UDP up nine seconds after its first question */
const SERVER_MS = 12000;
const SOCKET_MS = 8000;
const HTTPS_MS = 8000;

/* of icecandidateerror: nothing came back, as libwebrtc has it */
const UNREACHABLE = 701;


/** @typedef {{kind: "stun"|"turn", protocol: "udp"|"tcp"|"tls", url: string,
 *             result: string, ms?: number, code?: number}} Check */


/** kind and protocol of a STUN or TURN URL. */
export function kindOf(url) {
    const [scheme, rest] = [url.slice(0, url.indexOf(":")), url];

    if (scheme === "stun" || scheme === "stuns") {
        return {kind: "stun", protocol: scheme === "stun" ? "udp" : "tls"};
    }

    return {kind: "turn", protocol: scheme === "turns" ? "tls"
                          : /[?&]transport=tcp\b/.test(rest) ? "tcp" : "udp"};
}


/** The port of a STUN or TURN URL. */
export function portOf(url) {
    const [, scheme, port] = /^(\w+):(?:\[[^\]]*\]|[^:?]*)(?::(\d+))?/
                             .exec(url) ?? [];

    return port ? Number(port) : /s$/.test(scheme ?? "") ? 5349 : 3478;
}


/**
 * Tries one server.  Resolves always.
 *
 * @param {{url: string, username?: string, credential?: string}} server
 * @returns {Promise<Check>}
 */
export function tryServer({url, username, credential}, {
    RTCPeerConnection = globalThis.RTCPeerConnection, clock = systemClock,
} = {}) {
    const what = {...kindOf(url), url};
    const wanted = what.kind === "stun" ? "srflx" : "relay";
    const start = clock.now();

    return new Promise((resolve) => {
        let pc = null;
        let error = null;
        let timer = null;

        const end = (result) => {
            if (timer === null) {
                return;
            }

            clock.clearTimeout(timer);
            timer = null;
            pc?.close();
            resolve({...what, ...result});
        };
        const silent = () => end(
            error === null ? {result: "silent"}
                           : {result: "refused", code: error});

        timer = clock.setTimeout(silent, SERVER_MS);

        try {
            pc = new RTCPeerConnection({
                iceServers: [{urls: [url], username, credential}],
                iceTransportPolicy: what.kind === "stun" ? "all" : "relay",
            });

            pc.onicecandidateerror = (ev) => {
                if (ev.errorCode !== UNREACHABLE) {
                    error = ev.errorCode;

                } else if (what.kind === "stun") {
                    silent();
                }
            };
            pc.onicecandidate = ({candidate}) => {
                if (candidate?.candidate?.includes(` typ ${wanted}`)) {
                    end({result: "ok", ms: clock.now() - start});

                } else if (candidate === null && what.kind === "stun"
                           && clock.now() - start < SERVER_MS / 2)
                {
                    /* without NAT it has nothing new to say, but did */
                    end({result: "ok", ms: clock.now() - start});

                } else if (candidate === null) {
                    silent();
                }
            };

            pc.createDataChannel("check");
            pc.createOffer().then((offer) => pc.setLocalDescription(offer))
              .catch(() => end({result: "closed"}));

        } catch {
            /* a URL that this browser does not take */
            end({result: "closed"});
        }
    });
}


/**
 * Tries all URLs of ICE servers at once.
 *
 * @param {Array<{urls: string|string[], username?: string,
 *                credential?: string}>} iceServers
 * @param {{each?: (check: Check, i: number) => void}} [o]  each: as they come
 * @returns {Promise<Check[]>} in their order
 */
export function tryServers(iceServers, o = {}) {
    const servers = (iceServers ?? []).flatMap(
        ({urls, username, credential}) => [urls].flat().map(
            (url) => ({url, username, credential})));

    return Promise.all(servers.map(async (server, i) => {
        const check = await tryServer(server, o);

        o.each?.(check, i);

        return check;
    }));
}


/**
 * Whether a WebSocket to the gateway gets through: it says its challenge to
 * anybody who comes as a device does.
 *
 * @returns {Promise<{result: "ok"|"silent"|"closed", ms: number}>}
 */
export function trySocket(base, {WebSocket = globalThis.WebSocket,
                                 clock = systemClock} = {}) {
    const start = clock.now();

    return new Promise((resolve) => {
        const socket = new WebSocket(socketUrl(base, "/agent"), ["rs.v1"]);
        const end = (result) => {
            clock.clearTimeout(timer);
            socket.onmessage = socket.onclose = null;
            socket.close(1000);
            resolve({result, ms: clock.now() - start});
        };
        const timer = clock.setTimeout(() => end("silent"), SOCKET_MS);

        socket.onmessage = () => end("ok");
        socket.onclose = () => end("closed");
    });
}


/**
 * GET or POST /check.
 *
 * @returns {Promise<{result: "ok"|"off"|"limited"|"closed", body?: any,
 *                    ms: number}>}
 */
export async function askGateway(base, method, {
    fetch = (...a) => globalThis.fetch(...a), clock = systemClock,
} = {}) {
    const start = clock.now();
    const abort = new AbortController();
    const timer = clock.setTimeout(() => abort.abort(), HTTPS_MS);
    const said = (result, body) => ({result, body, ms: clock.now() - start});

    try {
        const answer = await fetch(base + "/check",
                                   {method, cache: "no-store",
                                    signal: abort.signal});

        if (answer.ok) {
            return said("ok", await answer.json());
        }

        return said(answer.status === 404 ? "off"
                    : answer.status === 429 ? "limited" : "closed");

    } catch {
        return said("closed");

    } finally {
        clock.clearTimeout(timer);
    }
}


/**
 * What the checks of one side come to:
 *
 *     open          TURN over UDP can be used
 *     udp_blocked   not over UDP; open: a port that TCP gets through to
 *     turn_refused  the servers answer, and take no credential; number
 *     turn_silent   none can be reached
 *     turn_name     nobody knows their names
 *     turn_tls      something takes TLS apart, or their certificate is wrong
 *     no_turn       there is none
 *
 * @param {Check[]} checks
 * @param {number} gatewayPort  what is open in any case: we speak over it
 */
export function sumUp(checks, gatewayPort) {
    const turn = checks.filter((c) => c.kind === "turn");
    const ok = turn.filter((c) => c.result === "ok");
    const any = (result) => turn.find((c) => c.result === result);

    if (turn.length === 0) {
        return {code: "no_turn"};
    }

    if (ok.some((c) => c.protocol === "udp")) {
        return {code: "open"};
    }

    if (ok.length > 0) {
        const ports = ok.map((c) => portOf(c.url));

        if (!turn.some((c) => c.protocol === "udp")) {
            return {code: "open"};
        }

        return {code: "udp_blocked", usable: true,
                open: ports.includes(443) ? 443 : ports[0]};
    }

    if (any("refused")) {
        return {code: "turn_refused", number: any("refused").code ?? null};
    }

    if (turn.every((c) => c.protocol === "udp"
                          && (c.result === "silent" || c.result === "closed"))
        && !checks.some((c) => c.kind === "stun" && c.result === "ok"))
    {
        return {code: "udp_blocked", usable: false, open: gatewayPort};
    }

    if (any("name")) {
        return {code: "turn_name"};
    }

    return {code: any("tls") ? "turn_tls" : "turn_silent"};
}
