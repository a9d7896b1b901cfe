
/*
 * Copyright (C) rs-gateway contributors
 *
 * A way to something at a device: a tunnel, made by REST, and the one pipe of
 * it that this page needs.  No DOM, runs under node.
 */

import { RsError } from "./rs-api.js";
import { RsPipe } from "./rs-pipe.js";


const IDLE_S = 3600;


/**
 * A tunnel to target ("host:port", or "shell") and an open pipe through it.
 * The pipe's close takes the tunnel along.  Fails with an RsError.
 *
 * @param {{api: import("./rs-api.js").RsApi, base: string,
 *          device_id: string, target: string, label?: string,
 *          stream?: boolean, origin?: string,
 *          WebSocket?: typeof WebSocket}} o
 *     stream: whether it is bytes, or messages of its own (a shell)
 */
export async function reach({api, base, device_id, target, label,
                             stream = true, origin, WebSocket})
{
    const tunnel = await api.post(`/devices/${device_id}/tunnels`, {
        target, protocol: "tcp", idle_s: IDLE_S,
        ...(label ? {label} : {})});
    let pipe = null;

    try {
        const {ticket} = await api.post(`/tunnels/${tunnel.id}/pipes`,
                                        origin ? {origin} : {});

        pipe = new RsPipe({base, ticket, stream, ...(WebSocket ? {WebSocket}
                                                               : {})});
        await opened(pipe);

    } catch (e) {
        pipe?.close();
        drop(api, tunnel);
        throw e;
    }

    pipe.addEventListener("close", () => drop(api, tunnel), {once: true});

    return {tunnel, pipe};
}


/* nobody waits for it, and it ends by itself when it is idle */
async function drop(api, tunnel) {
    try {
        await api.request("DELETE", `/tunnels/${tunnel.id}`,
                          {keepalive: true});

    } catch {
        /* its time is bounded */
    }
}


function opened(pipe) {
    return new Promise((resolve, reject) => {
        pipe.addEventListener("open", () => resolve(), {once: true});
        pipe.addEventListener("close", (ev) => reject(
            ev.detail.error ?? new RsError("closed")), {once: true});
    });
}
