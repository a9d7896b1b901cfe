
/*
 * Copyright (C) rs-gateway contributors
 *
 * WebM whose pictures say when they are: a colour for each so many seconds,
 * cut where clusters begin, as a recorder cuts it.
 */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";


const run = promisify(execFile);

const FPS = 10;
const SIZE = "width=320,height=240";

/* an id, a size that is not known, the time of the cluster */
const CLUSTER = Buffer.from("1f43b675", "hex");

export const MIME = 'video/webm; codecs="vp8,opus"';

export const COLORS = {red: [255, 0, 0], green: [0, 255, 0],
                       blue: [0, 0, 255], white: [255, 255, 255],
                       black: [0, 0, 0]};


/**
 * Files of a recording: {bytes, t_ms, dur_ms, key, init, mime}.
 *
 * @param {string[]} colors  of COLORS, each for so many seconds
 * @param {number} seconds
 */
export async function segments(colors, seconds) {
    const dir = await mkdtemp(join(tmpdir(), "rs-media-"));

    try {
        const file = join(dir, "all.webm");

        await run("gst-launch-1.0", ["-q",
            ..."concat name=c ! videoconvert ! vp8enc deadline=1".split(" "),
            `keyframe-max-dist=${seconds * FPS}`, "!",
            ..."webmmux streamable=true name=m ! filesink".split(" "),
            `location=${file}`,
            ...colors.flatMap((color) => [
                "videotestsrc", `num-buffers=${seconds * FPS}`,
                `pattern=${color}`, "!",
                `video/x-raw,${SIZE},framerate=${FPS}/1`, "!", "c."]),
            "audiotestsrc", "samplesperbuffer=960",
            `num-buffers=${colors.length * seconds * 50}`, "!",
            "audio/x-raw,rate=48000,channels=2", "!", "opusenc", "!", "m."],
            {timeout: 60000});

        return cut(await readFile(file), colors.length * seconds * 1000);

    } finally {
        await rm(dir, {recursive: true, force: true});
    }
}


/* a part from each key frame on; whose cluster's time is its own */
function cut(bytes, whole_ms) {
    const parts = [];
    let at = bytes.indexOf(CLUSTER);

    for (let from = 0; at >= 0;) {
        const next = bytes.indexOf(CLUSTER, at + 4);

        parts.push({bytes: bytes.subarray(from, next < 0 ? undefined : next),
                    t_ms: timeOf(bytes.subarray(at + 12)), key: true,
                    init: from === 0, ...(from === 0 ? {mime: MIME} : {})});
        from = next;
        at = next;
    }

    return parts.map((part, i) => ({
        ...part, dur_ms: (parts[i + 1]?.t_ms ?? whole_ms) - part.t_ms}));
}


function timeOf(bytes) {
    if (bytes[0] !== 0xe7) {
        throw new Error("a cluster without its time");
    }

    return Number(BigInt("0x" + bytes.subarray(2, 2 + (bytes[1] & 0x7f))
                                     .toString("hex")));
}
