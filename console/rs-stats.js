
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a getStats() report says: which path, how many bytes, which picture.
 * Pure.
 */


/**
 * The path in use out of a getStats() report: null until a pair is selected.
 * The protocol is what leaves this machine, so "tls" is TURN over TLS.
 *
 * @param {Iterable<any>} stats  the report's values
 * @param {import("./rs-client.js").Ice|null} [ice]  what the regions are of
 * @returns {import("./rs-client.js").Path|null}
 */
export function pathOf(stats, ice = null) {
    const byId = new Map();
    let pair = null;

    for (const s of stats) {
        byId.set(s.id, s);
    }

    for (const s of byId.values()) {
        if (s.type === "transport" && s.selectedCandidatePairId) {
            pair = byId.get(s.selectedCandidatePairId) ?? null;
            break;
        }

        /* Firefox has no transport statistics */
        if (s.type === "candidate-pair" && s.selected) {
            pair = s;
        }
    }

    const local = byId.get(pair?.localCandidateId);
    const remote = byId.get(pair?.remoteCandidateId);

    if (local === undefined || remote === undefined) {
        return null;
    }

    const relayed = local.candidateType === "relay"
                    || remote.candidateType === "relay";

    const region = local.candidateType === "relay"
                   ? regionOf(local.url, ice) : null;

    return {
        kind: relayed ? "relay" : "direct",
        protocol: (local.candidateType === "relay" && local.relayProtocol)
                  || local.protocol || "udp",
        local: local.candidateType,
        remote: remote.candidateType,
        rtt_ms: Math.round((pair.currentRoundTripTime ?? 0) * 1000),
        ...(region === null ? {} : {region}),
    };
}


/* of the one server that has this URL, null when none or two regions have */
function regionOf(url, ice) {
    const regions = new Set((ice?.iceServers ?? [])
        .filter(({urls}) => urls === url || urls?.includes?.(url))
        .map(({region}) => region));
    const [region] = regions;

    return regions.size === 1 && typeof region === "string"
           && /^[A-Za-z0-9._-]{1,64}$/.test(region) ? region : null;
}


/** Whether two paths are one for a report: the round trip does not count. */
export function samePath(a, b) {
    return a !== null && b !== null && a.kind === b.kind
           && a.protocol === b.protocol && a.local === b.local
           && a.remote === b.remote && a.region === b.region;
}


/** Bytes that came by a pair, the most of one; 0 before there is any. */
export function bytesOf(stats) {
    let most = 0;

    for (const s of stats) {
        if (s.type === "candidate-pair") {
            most = Math.max(most, s.bytesReceived ?? 0);
        }
    }

    return most;
}


/** Figures of the video out of a getStats() report, null before any. */
export function videoOf(stats) {
    for (const s of stats) {
        if (s.type === "inbound-rtp" && s.kind === "video") {
            return {
                width: s.frameWidth ?? 0,
                height: s.frameHeight ?? 0,
                frames: s.framesDecoded ?? 0,
                fps: Math.round(s.framesPerSecond ?? 0),
                bytes: s.bytesReceived ?? 0,
                dropped: s.framesDropped ?? 0,
                decode_ms: Math.round((s.totalDecodeTime ?? 0) * 1000),
            };
        }
    }

    return null;
}
