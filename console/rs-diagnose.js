
/*
 * Copyright (C) rs-gateway contributors
 *
 * Why there is no path, from what both sides find out: this browser by trying
 * the servers of the session, the device by its report (docs/protocol/peer.md),
 * and the gateway by what it knows of the device.  The feature shows it where
 * the session view says that it failed.
 */

import { RsEvent, systemClock } from "./rs-client.js";
import { sumUp, tryServers } from "./rs-check.js";
import { el } from "./rs-dom.js";
import { findingWords } from "./rs-words.js";


const REPORT_MS = 15000;        /* of the device, which may not know how */
const WAITING_MS = 12000;       /* for the device to join, then: is it there? */
const CHECKS_MAX = 32;

/* what a peer says when there is no path; other problems speak for themselves */
const PATHLESS = new Set(["peer_timeout", "peer_failed", "ice_failed",
                          "no_relay"]);

const RESULTS = new Set(["ok", "name", "silent", "closed", "tls", "refused",
                         "strange"]);


/**
 * What was found, the most telling first: {code, side, ...}; side: "here",
 * "device" or null.
 *
 * @param {{here: import("./rs-check.js").Check[]|null,
 *          there: import("./rs-check.js").Check[]|null,
 *          device: {online: boolean, last_seen_at: number|null}|null,
 *          port: number}} facts
 */
export function diagnose({here, there, device, port}) {
    const found = [];

    if (device !== null && !device.online) {
        return [{code: "device_offline", side: "device",
                 since: device.last_seen_at ?? null}];
    }

    for (const [side, checks] of [["here", here], ["device", there]]) {
        const sum = checks === null ? null : sumUp(checks, port);

        if (sum !== null && sum.code !== "open") {
            found.push({side, ...sum});
        }
    }

    if (there === null) {
        found.push({code: "device_silent", side: "device"});
    }

    if (found.length === 0) {
        found.push({code: "no_route", side: null});
    }

    /* what still works is no reason, but may be half of one */
    return found.sort((a, b) => Number(a.usable ?? false)
                                - Number(b.usable ?? false));
}


/** What a device's report holds; null: it is none. */
export function reportOf(data) {
    if (data?.kind !== "report" || !Array.isArray(data.checks)
        || data.checks.length > CHECKS_MAX)
    {
        return null;
    }

    return data.checks.filter((c) => (c?.kind === "turn" || c?.kind === "stun")
                                     && ["udp", "tcp", "tls"].includes(c.protocol)
                                     && typeof c.url === "string"
                                     && c.url.length <= 512
                                     && RESULTS.has(c.result))
               .map(({kind, protocol, url, result, code}) => ({
                   kind, protocol, url, result,
                   ...(Number.isInteger(code) ? {code} : {}),
               }));
}


/**
 * Asks the host of a session for its report.
 *
 * @param {import("./rs-client.js").RsSession} session
 * @returns {Promise<import("./rs-check.js").Check[]|null>} null: it says none
 */
export function askDevice(session, {clock = systemClock} = {}) {
    const host = session.host;

    if (host === null || session.state !== "open") {
        return Promise.resolve(null);
    }

    return new Promise((resolve) => {
        const end = (checks) => {
            clock.clearTimeout(timer);
            session.removeEventListener("signal", hear);
            resolve(checks);
        };
        const hear = ({detail: {from, data}}) => {
            const checks = from === host.id ? reportOf(data) : null;

            if (checks !== null) {
                end(checks);
            }
        };
        const timer = clock.setTimeout(() => end(null), REPORT_MS);

        session.addEventListener("signal", hear);

        try {
            session.send({kind: "diagnose", pc: 1}, host.id);

        } catch {
            end(null);          /* the gateway is away */
        }
    });
}


/**
 * One examination of a session without a path.  Event: found, the list of
 * diagnose().
 */
export class RsDiagnosis extends EventTarget {
    #over = false;

    /**
     * @param {{session: import("./rs-client.js").RsSession,
     *          device: () => Promise<any>, port: number,
     *          RTCPeerConnection?: any, clock?: any}} o
     *     device: what the gateway knows of it, null: that is not for us
     */
    constructor(o) {
        super();
        this.#run(o);
    }

    async #run({session, device, port, RTCPeerConnection, clock}) {
        const known = await device().catch(() => null);

        if (known?.online === false) {
            this.#found(diagnose({here: null, there: null, device: known,
                                  port}));
            return;
        }

        const ice = await session.freshIce().catch(() => session.ice);
        const [here, there] = await Promise.all([
            tryServers(ice?.iceServers, {RTCPeerConnection, clock}),
            askDevice(session, {clock}),
        ]);

        this.#found(diagnose({here, there, device: known, port}));
    }

    #found(list) {
        if (!this.#over) {
            this.dispatchEvent(new RsEvent("found", list));
        }
    }

    end() {
        this.#over = true;
    }
}


/* ---- where the session view says that it failed */


function show(room, list) {
    room.replaceChildren(...list.map((found) => {
        const {title, cure} = findingWords(found);

        return el("li", {dataset: {code: found.code, side: found.side ?? ""}},
                  el("strong", {}, title), el("span", {}, cure));
    }));
}


/** @param {import("./pages/session.js").SessionPage} page */
export function installDiagnosis(page) {
    const room = document.getElementById("overlay-findings");
    let diagnosis = null;
    let timer = null;

    const end = () => {
        systemClock.clearTimeout(timer);
        diagnosis?.end();
        diagnosis = null;
        room.hidden = true;
        room.replaceChildren();
    };

    const examine = (run) => {
        end();
        room.hidden = false;
        room.replaceChildren(el("li", {class: "busy"},
                                "Finding out what is in the way…"));
        diagnosis = new RsDiagnosis({
            session: run.session,
            port: Number(location.port) || 443,
            device: async () => {
                const {api} = page.app.account;

                return api === null || !run.device_id
                       ? null : (await api.device(run.device_id)).data;
            },
        });
        diagnosis.addEventListener("found", (ev) => show(room, ev.detail));
    };

    /* the peer tries on: what is found may be of use meanwhile */
    const onProblem = (run, {code}) => {
        if (diagnosis === null && PATHLESS.has(code)
            && run.peer.state !== "connected")
        {
            examine(run);
        }
    };

    const onState = (run, state) => {
        systemClock.clearTimeout(timer);

        if (state === "connected" || state === "closed") {
            end();

        } else if (state === "waiting") {
            end();
            timer = systemClock.setTimeout(() => absent(page, run, room),
                                           WAITING_MS);
        }
    };

    page.addEventListener("peer", ({detail: run}) => {
        const {peer} = run;
        const on = (type, f) => peer.addEventListener(type, ({detail}) => {
            if (page.run === run && run.peer === peer) {
                f(run, detail);
            }
        });

        on("state", onState);
        on("problem", onProblem);
        onState(run, peer.state);
    });
    page.addEventListener("begin", end);
    page.addEventListener("end", end);

    /* the gateway itself says so at the beginning */
    page.addEventListener("offline", ({detail}) => {
        end();
        room.hidden = false;
        show(room, diagnose({here: null, there: null, device: detail,
                             port: 0}));
    });
}


/* it has been called and does not come: is it there at all? */
async function absent(page, run, room) {
    const {api} = page.app.account;
    const device = api === null || !run.device_id ? null
        : await api.device(run.device_id).then((d) => d.data, () => null);

    if (page.run === run && run.peer?.state === "waiting"
        && device?.online === false)
    {
        room.hidden = false;
        show(room, diagnose({here: null, there: null, device, port: 0}));
    }
}
