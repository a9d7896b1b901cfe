
/*
 * Copyright (C) rs-gateway contributors
 *
 * Picture, mouse and keys of a session in ten lines.
 */

import { connect } from "../rs-client.js";

const screen = document.getElementById("screen");
const remote = connect({base: "../../rs/v1", link: location.hash});
remote.addEventListener("stream", (ev) => { screen.srcObject = ev.detail; });
remote.addEventListener("state", (ev) => document.getElementById("state").replaceChildren(ev.detail));
screen.onresize = () => remote.input.setGeometry(screen.clientWidth, screen.clientHeight,
                                                 screen.videoWidth, screen.videoHeight);
screen.onpointermove = (ev) => remote.input.move(ev.offsetX, ev.offsetY);
screen.onmousedown = (ev) => remote.input.buttonDown(ev.button, ev.offsetX, ev.offsetY);
screen.onmouseup = (ev) => remote.input.buttonUp(ev.button, ev.offsetX, ev.offsetY);
screen.onkeydown = (ev) => remote.input.keyDown(ev) && ev.preventDefault();
screen.onkeyup = (ev) => remote.input.keyUp(ev);
