
/*
 * Copyright (C) rs-gateway contributors
 *
 * From a press in the page to the pixel it changes on the remote screen, as
 * the page shows it: there and back, capture, encoder and decoder included.
 */

import { place } from "./browser.mjs";


/**
 * Presses a rectangle of the test window, which turns white, so many times.
 *
 * @param {import("playwright-core").Page} page  that has control
 * @param {{x: number, y: number, look: {x: number, y: number}}} spot
 * @returns {Promise<number[]>}  milliseconds, in order of size
 */
export async function latencies(page, spot, rounds) {
    const [x, y] = await place(page, spot);

    return page.evaluate(async ([at, look, n]) => {
        const video = document.getElementById("screen");
        const canvas = new OffscreenCanvas(1, 1);
        const context = canvas.getContext("2d", {willReadFrequently: true});
        const found = [];

        const white = () => {
            context.drawImage(video, look.x, look.y, 1, 1, 0, 0, 1, 1);

            return context.getImageData(0, 0, 1, 1).data.slice(0, 3)
                          .every((v) => v > 200);
        };
        const becomes = (want) => new Promise((resolve) => {
            const frame = () => white() === want
                ? resolve(performance.now())
                : video.requestVideoFrameCallback(frame);

            frame();
        });
        const mouse = (type) => video.dispatchEvent(new MouseEvent(type, {
            clientX: at[0], clientY: at[1], button: 0, bubbles: true,
            cancelable: true}));

        for (let i = 0; i < n; i++) {
            await becomes(false);

            const from = performance.now();

            mouse("mousedown");
            found.push(await becomes(true) - from);
            mouse("mouseup");
        }

        await becomes(false);

        return found.sort((a, b) => a - b);
    }, [[x, y], spot.look, rounds]);
}
