// Copyright (C) rs-gateway contributors
//
// Shows the document of this path: a PDF page by page, or an image.  Only what
// is seen, and a page around it, has a canvas.  What stands in body.dataset
// .state ("loading", "shown", "failed") is for tests and for whoever asks.

const MIN = 0.25;
const MAX = 5;
const STEP = 1.25;
const PIXELS = 16e6;            // of one canvas
const MARGIN = 24;              // beside a page

const $ = (id) => document.getElementById(id);

const view = $("view");

let shown = null;               // a picture or a PDF: zoom(factor), fit()
let factor = 1;


async function main()
{
    document.body.dataset.state = "loading";

    const about = await fetched("about").then((r) => r.json());

    document.title = about.name;
    $("name").textContent = about.name;

    if (about.media === "application/pdf") {
        shown = await pdf();

    } else {
        shown = await picture();
    }

    shown.fit();
    view.tabIndex = 0;
    view.focus();
    document.body.dataset.state = "shown";
}


async function fetched(name)
{
    const r = await fetch(name);

    if (!r.ok) {
        throw new Error("This document is not here any more: show it again.");
    }

    return r;
}


function failed(e)
{
    $("notice").textContent = e.name === "PasswordException"
        ? "This document is locked with a password: save it without one and show that."
        : e.name === "InvalidPDFException"
            ? "This document is broken: save it anew and show that."
            : e.message;
    $("notice").hidden = false;
    document.body.dataset.state = "failed";
}


function zoomed(to)
{
    factor = Math.min(MAX, Math.max(MIN, to));
    $("zoom").textContent = `${Math.round(factor * 100)} %`;

    return factor;
}


// ---- an image

async function picture()
{
    const img = new Image();

    img.alt = document.title;
    img.src = "document";

    try {
        await img.decode();
    } catch {
        throw new Error("This image is broken: save it anew and show that.");
    }

    view.append(img);

    return {
        zoom(to)
        {
            img.width = Math.round(img.naturalWidth * zoomed(to));
        },

        fit()
        {
            this.zoom(Math.min(1, (view.clientWidth - MARGIN) / img.naturalWidth));
        },
    };
}


// ---- a PDF

async function pdf()
{
    const lib = await import("/viewer/pdf.mjs");

    lib.GlobalWorkerOptions.workerSrc = "/viewer/pdf.worker.mjs";

    const doc = await lib.getDocument({
        url: new URL("document", location.href).href,
        cMapUrl: "/viewer/cmaps/",
        standardFontDataUrl: "/viewer/standard_fonts/",
        wasmUrl: "/viewer/wasm/",
        iccUrl: "/viewer/iccs/",
        enableXfa: false,
        isEvalSupported: false,
        maxImageSize: 100e6,
        canvasMaxAreaInBytes: PIXELS * 4,
    }).promise;

    const first = await doc.getPage(1);
    const pages = [];

    $("count").textContent = String(doc.numPages);
    $("pages").hidden = false;

    for (let n = 1; n <= doc.numPages; n++) {
        pages.push(new Page(lib, doc, n, first.getViewport({ scale: 1 })));
    }

    const near = new IntersectionObserver((entries) => {
        for (const e of entries) {
            pages[Number(e.target.dataset.page) - 1].near(e.isIntersecting);
        }
    }, { root: view, rootMargin: "50% 0px" });

    for (const p of pages) {
        view.append(p.div);
        near.observe(p.div);
    }

    view.addEventListener("scroll", () => at(pages), { passive: true });
    $("previous").onclick = () => go(pages, current(pages) - 1);
    $("next").onclick = () => go(pages, current(pages) + 1);
    $("page").onchange = () => go(pages, Number($("page").value) - 1);

    return {
        zoom(to)
        {
            const n = current(pages);
            const before = factor;
            const into = view.scrollTop - pages[n].div.offsetTop;

            zoomed(to);
            pages.forEach((p) => p.size());
            view.scrollTop = pages[n].div.offsetTop + into * factor / before;
        },

        fit()
        {
            this.zoom((view.clientWidth - MARGIN) / pages[0].width);
        },
    };
}


// the page that the upper third of the window is on

function current(pages)
{
    const y = view.scrollTop + view.offsetTop + view.clientHeight / 3;
    let n = 0;

    while (n + 1 < pages.length && pages[n + 1].div.offsetTop <= y) {
        n++;
    }

    return n;
}


function at(pages)
{
    if (document.activeElement !== $("page")) {
        $("page").value = String(current(pages) + 1);
    }
}


function go(pages, n)
{
    if (Number.isInteger(n) && n >= 0 && n < pages.length) {
        view.scrollTop = pages[n].div.offsetTop - view.offsetTop - MARGIN / 2;
    }

    $("page").blur();
    at(pages);
}


class Page
{
    constructor(lib, doc, n, like)
    {
        this.lib = lib;
        this.doc = doc;
        this.n = n;
        this.width = like.width;            // until it is known
        this.height = like.height;
        this.wanted = false;
        this.task = null;
        this.drawn = 0;                     // the factor it was drawn for
        this.div = document.createElement("div");
        this.div.className = "page";
        this.div.dataset.page = String(n);
        this.size();
    }

    size()
    {
        this.div.style.width = `${Math.floor(this.width * factor)}px`;
        this.div.style.height = `${Math.floor(this.height * factor)}px`;

        if (this.wanted) {
            this.draw();
        }
    }

    near(wanted)
    {
        this.wanted = wanted;

        if (wanted) {
            this.draw();

        } else {
            this.task?.cancel();
            this.task = null;
            this.drawn = 0;
            this.div.replaceChildren();
        }
    }

    async draw()
    {
        if (this.drawn === factor) {
            return;
        }

        const scale = factor;

        this.drawn = scale;
        this.task?.cancel();

        const page = await this.doc.getPage(this.n);
        const viewport = page.getViewport({ scale });
        const dense = Math.min(devicePixelRatio,
                               Math.sqrt(PIXELS / (viewport.width * viewport.height)));
        const canvas = document.createElement("canvas");

        this.width = viewport.width / scale;
        this.height = viewport.height / scale;
        this.div.style.width = `${Math.floor(viewport.width)}px`;
        this.div.style.height = `${Math.floor(viewport.height)}px`;

        canvas.width = Math.floor(viewport.width * dense);
        canvas.height = Math.floor(viewport.height * dense);
        canvas.style.width = `${Math.floor(viewport.width)}px`;

        const task = page.render({
            canvas,
            viewport,
            transform: dense === 1 ? null : [ dense, 0, 0, dense, 0, 0 ],
        });

        this.task = task;

        try {
            await task.promise;
        } catch (e) {
            if (e.name !== "RenderingCancelledException") {
                failed(e);
            }

            return;
        }

        const text = document.createElement("div");

        text.className = "text";
        text.style.setProperty("--total-scale-factor", String(scale));
        text.style.setProperty("--scale-factor", String(scale));

        await new this.lib.TextLayer({
            textContentSource: page.streamTextContent(),
            container: text,
            viewport,
        }).render().catch(() => { });

        if (this.wanted && this.drawn === scale) {
            this.div.replaceChildren(canvas, text);
            this.div.dataset.drawn = "yes";
        }
    }
}


// ---- the bar

$("smaller").onclick = () => shown?.zoom(factor / STEP);
$("larger").onclick = () => shown?.zoom(factor * STEP);
$("fit").onclick = () => shown?.fit();

main().catch(failed);
