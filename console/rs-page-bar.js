
/*
 * Copyright (C) rs-gateway contributors
 *
 * The row above the picture of a rendered browser: back, forward, reload, the
 * address, and a document to show; what was not allowed, and that the browser
 * failed, under it.  Whoever has control uses it, the others read it.
 *
 * A document goes to the host's folder as any file does (rs-files), and is
 * then named to the browser.
 */

import { el, icon, setText } from "./rs-dom.js";
import { RsPage, addressOf } from "./rs-page.js";
import { blockedWords, byteWords, documentWords, fileErrorWords,
         transferWords } from "./rs-words.js";


const ICONS = {
    back: "M15 5l-7 7 7 7",
    forward: "M9 5l7 7-7 7",
    reload: "M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6",
    stop: "M6 6l12 12M18 6 6 18",
    show: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
};

const ACCEPT = ".pdf,.png,.jpg,.jpeg,.gif,.webp,.docx,.xlsx,.pptx,.odt,.ods,"
               + ".odp,.doc,.xls,.ppt";
const SHOWN_MS = 6000;      /* a document that is shown needs no row */


class PageBar {
    #page;                  /* the SessionPage */
    #files;                 /* () => RsFiles|null */
    #it = null;             /* RsPage of the session of now */
    #run = null;
    #docs = new Map();      /* {row, words, bar, id, away} -> name */
    #saidAt = "";           /* the page that something was said at */
    #refused = null;        /* the address it was about */
    #failed = false;        /* it was that the browser did */

    /* elements */
    #bar;
    #back;
    #forward;
    #reload;
    #field;
    #show;
    #choice;
    #said;
    #list;

    constructor(page, files) {
        this.#page = page;
        this.#files = files;
        this.#build(page.stage);

        page.addEventListener("peer", (ev) => this.#begin(ev.detail));
        page.addEventListener("hello", () => this.#render());
        page.addEventListener("end", () => this.#end());
    }

    #button(id, title, path, f) {
        return el("button", {type: "button", class: "quiet square",
                             id: `page-${id}`, title, "aria-label": title,
                             onclick: f}, icon(path));
    }

    #build(stage) {
        this.#back = this.#button("back", "Back", ICONS.back,
                                  () => this.#it.back());
        this.#forward = this.#button("forward", "Forward", ICONS.forward,
                                     () => this.#it.forward());
        this.#reload = this.#button("reload", "Reload", ICONS.reload,
            () => (this.#it.state.loading ? this.#it.stop()
                                          : this.#it.reload()));
        this.#field = el("input", {
            type: "text", id: "page-url", inputmode: "url",
            autocapitalize: "none", autocomplete: "off", spellcheck: "false",
            maxlength: "2048", "aria-label": "Address",
            placeholder: "Type an address",
            onfocus: () => this.#field.select(),
            onblur: () => this.#render(),
            onkeydown: (ev) => this.#key(ev)});
        this.#choice = el("input", {
            type: "file", class: "visually-hidden", id: "page-document",
            tabindex: "-1", "aria-hidden": "true", accept: ACCEPT,
            onchange: () => {
                this.#send(this.#choice.files[0]);
                this.#choice.value = "";
            }});
        this.#show = el("button", {
            type: "button", class: "quiet", id: "page-show",
            title: "Show a document", "aria-label": "Show a document",
            onclick: () => this.#choice.click()},
            icon(ICONS.show), el("span", {class: "wide"}, "Show a document"));
        this.#bar = el("div", {class: "page-bar", id: "page-bar",
                               role: "toolbar", "aria-label": "The browser",
                               hidden: true},
            this.#back, this.#forward, this.#reload,
            el("form", {autocomplete: "off", onsubmit: (ev) => {
                ev.preventDefault();
                this.#go();
            }}, this.#field),
            this.#show, this.#choice);
        this.#said = el("div", {class: "page-said", id: "page-said",
                                role: "status", hidden: true});
        this.#list = el("ul", {class: "page-docs", id: "page-docs",
                               "aria-label": "Documents"});
        stage.addRow(this.#bar);
        stage.addRow(this.#said);
        stage.addRow(this.#list);
    }

    /* the session */

    #begin(run) {
        this.#end();

        if (run.session.session.host?.type !== "render") {
            return;
        }

        const {peer} = run;

        this.#run = run;
        this.#it = new RsPage(peer.channel("rs-page"), {
            detour: (message) => peer.detour && peer.send(message)});

        const on = (type, f) => this.#it.addEventListener(type,
            (ev) => f(ev.detail));

        on("open", () => this.#render());
        on("page", ({url, loading}) => {
            /* a page that was refused leaves the one before, or the
             * browser's own word on it */
            if ((url !== this.#saidAt && url !== this.#refused)
                || (this.#failed && !loading))
            {
                this.#tell(null);
            }

            this.#render();
        });
        on("blocked", ({url, why}) => {
            const {title, help} = blockedWords(why);

            this.#tell(title, [url, help]);
            this.#refused = url;
        });
        on("crashed", (again) => {
            this.#tell("The browser failed", [
                again ? "It is being started again, at the page it was at."
                      : "The session ends."]);
            this.#failed = true;
        });
        on("downloaded", ({name}) => this.#tell("Downloaded", [
            `“${name}” is in Files`]));
        on("document", (told) => this.#document(told));

        run.session.addEventListener("control", () => this.#render());
        this.#files()?.addEventListener("state", () => this.#render());
        this.#render();
    }

    #end() {
        this.#it?.close();
        this.#it = null;
        this.#run = null;
        this.#docs.clear();
        this.#list.replaceChildren();
        this.#tell(null);
        this.#bar.hidden = true;
    }

    /* whoever has control, over whatever way there is */
    get #mine() {
        return this.#run !== null && this.#run.session.controls
               && Boolean(this.#run.hello?.input);
    }

    #render() {
        if (this.#it === null) {
            return;
        }

        const {state} = this.#it;
        const mine = this.#mine;
        const verb = state.loading ? "Stop" : "Reload";

        this.#bar.hidden = !this.#it.open && !this.#run.peer.detour;
        this.#bar.dataset.loading = String(state.loading);
        this.#back.disabled = !mine || !state.back;
        this.#forward.disabled = !mine || !state.forward;
        this.#reload.disabled = !mine;
        this.#field.readOnly = !mine;
        this.#show.hidden = !state.documents;
        this.#show.disabled = !mine
                              || this.#files()?.state.to_device !== true;
        this.#show.title = mine
            ? `Show a document, ${byteWords(state.max_document)} at most`
            : "Show a document";

        if (this.#reload.title !== verb) {
            this.#reload.title = verb;
            this.#reload.setAttribute("aria-label", verb);
            this.#reload.replaceChildren(icon(
                state.loading ? ICONS.stop : ICONS.reload));
        }

        if (document.activeElement !== this.#field || !mine) {
            this.#field.value = state.url;
            this.#field.title = state.title;
        }
    }

    #key(ev) {
        if (ev.key === "Escape") {
            this.#field.value = this.#it.state.url;
            this.#page.stage.video.focus();
        }
    }

    #go() {
        const url = addressOf(this.#field.value);

        if (!this.#mine) {
            return;
        }

        if (url === "") {
            this.#tell("That is not an address",
                       ["It begins with https:// or a name."]);
            return;
        }

        this.#it.go(url);
        this.#page.stage.video.focus();
    }

    /* one word at a time, until the page changes or it is put away */
    #tell(title, texts = []) {
        this.#saidAt = this.#it?.state.url ?? "";
        this.#refused = null;
        this.#failed = false;
        this.#said.hidden = title === null;

        if (title === null) {
            this.#said.replaceChildren();
            return;
        }

        this.#said.replaceChildren(
            el("p", {}, el("b", {}, title), " ",
               el("span", {}, texts.filter((t) => t).join(" · "))),
            el("button", {type: "button", class: "quiet square",
                          title: "Put away", "aria-label": "Put away",
                          onclick: () => this.#tell(null)},
               icon(ICONS.stop)));
    }

    /* documents */

    #send(file) {
        const files = this.#files();

        if (file === undefined || files === null || this.#it === null) {
            return;
        }

        const most = this.#it.state.max_document;
        const entry = this.#row(file.name);

        if (file.size > most) {
            this.#refuse(entry, {code: "too_large", message:
                `${byteWords(file.size)}, ${byteWords(most)} at most`});
            return;
        }

        const known = new Set(files.transfers);

        files.send([file]);

        const t = files.transfers.find((one) => !known.has(one));

        const change = (ev) => {
            if (ev.detail === t && this.#progress(entry, t)) {
                files.removeEventListener("change", change);
            }
        };

        if (!this.#progress(entry, t)) {
            files.addEventListener("change", change);
        }
    }

    /* true: it needs no more looking at */
    #progress(entry, t) {
        entry.bar.max = Math.max(t.size, 1);
        entry.bar.value = t.done;

        if (t.state === "failed" || t.state === "cancelled") {
            this.#refuse(entry, {code: "", message: t.state === "failed"
                ? fileErrorWords(t.error) : "cancelled"});
            return true;
        }

        if (t.state !== "done") {
            setText(entry.words, transferWords(t));
            return false;
        }

        entry.bar.hidden = true;
        setText(entry.words, documentWords({state: "converting"}));
        entry.id = this.#it?.show(t.arrived) ?? 0;

        if (entry.id === 0) {
            this.#refuse(entry, {code: "", message: "no connection"});
        }

        return true;
    }

    #row(name) {
        const entry = {id: -1, bar: el("progress", {"aria-label": name}),
                       words: el("span", {class: "words", role: "status"})};
        const away = () => {
            entry.row.remove();
            this.#docs.delete(entry);
        };

        entry.row = el("li", {dataset: {state: "sending"}},
            icon(ICONS.show), el("span", {class: "name", title: name}, name),
            entry.bar, entry.words,
            el("button", {type: "button", class: "quiet square",
                          title: `Put ${name} away`,
                          "aria-label": `Put ${name} away`, onclick: away},
               icon(ICONS.stop)));
        entry.away = away;
        this.#docs.set(entry, name);
        this.#list.append(entry.row);

        return entry;
    }

    #refuse(entry, told) {
        entry.bar.hidden = true;
        entry.row.dataset.state = "refused";
        setText(entry.words, documentWords({state: "refused", ...told}));
    }

    #document(told) {
        for (const entry of this.#docs.keys()) {
            if (entry.id === told.id) {
                entry.row.dataset.state = told.state;
                setText(entry.words, documentWords(told));

                if (told.state === "shown") {
                    setTimeout(entry.away, SHOWN_MS);
                }
            }
        }
    }
}


/**
 * For features.js.
 * @param {import("./pages/session.js").SessionPage} page
 */
export function installPage(page) {
    new PageBar(page, () => page.files);
}
