
/*
 * Copyright (C) rs-gateway contributors
 *
 * A recording's archive, fetched from its recorder through a pipe of the
 * gateway, to where bytes of files go.  No DOM.
 */

import { RsError } from "./rs-api.js";
import { RsPipe } from "./rs-pipe.js";
import { openSink } from "./rs-sink.js";


const SAID_MS = 200;        /* between two words on how far it is */


/**
 * @param {{api: import("./rs-api.js").RsApi, base: string, id: string,
 *          progress?: (bytes: number) => void, signal?: AbortSignal,
 *          WebSocket?: typeof WebSocket, sink?: typeof openSink}} o
 * @returns {Promise<Blob>}  RsError
 */
export async function fetchRecording({api, base, id, progress = () => {},
                                      signal, WebSocket, sink = openSink})
{
    const {ticket} = await api.post(
        `/recordings/${encodeURIComponent(id)}/pipes`, {}, {signal});
    const out = await sink();

    try {
        await pour({base, ticket, out, progress, signal, WebSocket});

        return await out.finish();

    } catch (e) {
        await out.discard();
        throw e;
    }
}


function pour({base, ticket, out, progress, signal, WebSocket}) {
    const pipe = new RsPipe({base, ticket, ...(WebSocket ? {WebSocket}
                                                         : {})});
    let writing = Promise.resolve();
    let bytes = 0;
    let said = 0;

    return new Promise((resolve, reject) => {
        const abort = () => pipe.close();

        signal?.addEventListener("abort", abort, {once: true});
        pipe.addEventListener("data", ({detail}) => {
            bytes += detail.length;
            writing = writing.then(() => out.write(detail));
            writing.catch(() => pipe.close());

            if (Date.now() - said > SAID_MS) {
                said = Date.now();
                progress(bytes);
            }
        });
        pipe.addEventListener("end", () => pipe.end());
        pipe.addEventListener("close", ({detail}) => {
            signal?.removeEventListener("abort", abort);

            writing.then(() => {
                if (detail.clean) {
                    resolve();

                } else {
                    reject(signal?.aborted ? new RsError("aborted")
                                           : detail.error);
                }
            }, reject);
        });
    });
}
