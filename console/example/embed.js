
/*
 * Copyright (C) rs-gateway contributors
 *
 * All that the page has to do: the element, where the gateway is, who comes.
 */

const gateway = document.querySelector('meta[name="rs-gateway"]').content;
const view = document.getElementById("view");
const log = document.getElementById("log");

/* the page is there at once, the element as soon as its module is */
import(`${gateway}/console/rs-view.js`);

/* the link is good once: it does not stay in the address */
const link = location.hash;
history.replaceState(null, "", location.pathname);

document.getElementById("join").onsubmit = (ev) => {
    ev.preventDefault();
    view.provider = () => ({link, name: ev.target.elements.name.value, pin: ev.target.elements.pin.value});
    view.setAttribute("base", `${gateway}/rs/v1`);
    view.hidden = false;
    ev.target.hidden = true;
};

/* what happens is told by events that bubble */
for (const type of ["rs-state", "rs-control", "rs-recording", "rs-page", "rs-closed"]) {
    view.addEventListener(type, ({detail}) => {
        const said = detail?.url ?? detail?.reason ?? String(detail);

        log.append(Object.assign(document.createElement("li"), {textContent: `${type}: ${said}`}));
    });
}
