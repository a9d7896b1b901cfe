
/*
 * Copyright (C) rs-gateway contributors
 *
 * What rs-client.d.ts lets a page do, and what it does not: compiled by
 * types.test.mjs, never run.
 */

import { connect, CHORDS, RsError, VERSION } from "../../console/rs-client.js";
import type { Features, RsRemote } from "../../console/rs-client.js";
import { RsView } from "../../console/rs-view.js";


export function use(video: HTMLVideoElement): RsRemote {
    const remote = connect({base: "/rs/v1", link: location.hash});

    remote.addEventListener("stream", (ev) => {
        video.srcObject = ev.detail;
    });
    remote.addEventListener("state", (ev) => {
        const over: boolean = ev.detail === "closed";

        // @ts-expect-error: no such state
        return over || ev.detail === "sleeping";
    });
    remote.addEventListener("closed", ({detail}) => {
        if (detail.error instanceof RsError) {
            console.log(VERSION, detail.error.code, detail.reason);
        }
    });
    remote.addEventListener("joined", ({detail}) => {
        detail.clipboard?.addEventListener("text", (ev) => {
            navigator.clipboard.writeText(ev.detail);
        });
        detail.chat?.say("Hello").catch((e: RsError) => console.log(e.code));
    });

    // @ts-expect-error: no such event
    remote.addEventListener("picture", () => undefined);

    remote.input.chord(CHORDS[0]!.keys);
    // @ts-expect-error: a position has two numbers
    remote.input.move(1);

    const features: Features = remote.features;

    if (features.clipboard === "both" && features.monitors?.[0]) {
        const width: number = features.monitors[0].width;

        remote.channel("rs-own").send({width});
    }

    // @ts-expect-error: a base is needed
    connect({ticket: "default.abc"});

    return remote;
}


export function embed(): RsView {
    const view = document.createElement("rs-view");

    view.provider = async () => ({link: "#guest=x", name: "Eve"});
    // @ts-expect-error: a place has a ticket or a link
    view.provider = () => ({device_id: "dev_1"});
    view.addEventListener("rs-closed", () => view.leave());
    view.remote?.page?.addEventListener("blocked", (ev) => {
        // @ts-expect-error: no such reason
        return ev.detail.why === "sleepy";
    });
    view.remote?.page?.go("https://www.example.com/");

    return view;
}
