// What pages need besides htmx: charts, the theme, copying, and errors beside
// the fields of a form. Each page works without it.
"use strict";
(() => {
  const root = document.documentElement;

  // The theme that a person has chosen; none: that of the system.
  const kept = () => { try { return localStorage.getItem("theme") || ""; } catch { return ""; } };
  const apply = (theme) => { if (theme) root.dataset.theme = theme; else delete root.dataset.theme; };
  apply(kept());

  // color returns the value of a token as a colour that a canvas understands.
  const probe = document.createElement("span");
  const color = (token) => {
    probe.hidden = true;
    probe.style.color = `var(--${token})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };

  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  const bytes = (n) => {
    const sign = n < 0 ? "-" : "";
    n = Math.abs(n);
    let i = 0;
    for (; n >= 1023.95 && i < units.length - 1; i++) n /= 1024;
    return sign + (i ? n.toFixed(1) : n) + " " + units[i];
  };
  const count = (n) => n.toLocaleString("en-US");
  const millis = (n) => n < 1000 ? `${n} ms` : n < 60000 ? `${(n / 1000).toFixed(1)} s` : n < 3600000 ? `${Math.round(n / 60000)} min` : `${(n / 3600000).toFixed(1)} h`;
  const word = { bytes, count, milliseconds: millis };

  // plain takes the characters out of a text that the canvas would read as a
  // style.
  const plain = (text) => String(text).replaceAll("{", "(").replaceAll("}", ")").replaceAll("|", "¦");
  const short = (text, most) => { const all = Array.from(text); return all.length > most ? all.slice(0, most - 1).join("") + "…" : text; };

  const drawn = [];

  function draw(figure) {
    const place = figure.querySelector("[data-chart]");
    const data = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
    const say = word[data.unit];
    const ink = color("ink"), dim = color("ink-dim"), line = color("line"), sheet = color("sheet");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const option = {
      animation: !still, animationDuration: 300, aria: { enabled: false },
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
      tooltip: { renderMode: "richText", confine: true, backgroundColor: sheet, borderColor: line, textStyle: { color: ink, fontSize: 12 } },
    };
    if (data.kind === "treemap") {
      option.tooltip.formatter = (p) => plain(short(p.name, 80)) + "\n" + (p.data.label2 || "");
      option.series = [{
        type: "treemap", roam: false, nodeClick: false, breadcrumb: { show: false }, left: 0, right: 0, top: 0, bottom: 0,
        label: { fontSize: 12, lineHeight: 17, color: "#fff", formatter: (p) => plain(short(p.name, 40)) + "\n" + say(p.value), overflow: "truncate" },
        itemStyle: { borderColor: sheet, borderWidth: 2, gapWidth: 2 },
        data: data.boxes.map((b, i) => ({
          name: b.name, value: b.value, label2: b.label, href: b.href, cursor: b.href ? "pointer" : "default",
          itemStyle: { color: b.rest ? color("box-rest") : shade(color("box"), i, data.boxes.length) },
        })),
      }];
    } else {
      const tones = { good: "good", bad: "bad", busy: "busy", quiet: "ink-dim" };
      const hue = (s) => color(s.tone ? tones[s.tone] : "series-" + (s.color || "rest"));
      option.tooltip.trigger = "axis";
      option.tooltip.axisPointer = { type: data.kind === "bar" ? "shadow" : "line" };
      option.tooltip.formatter = (all) => plain(all[0].name) + all.filter((p) => !data.stacked || p.value).map((p) => {
        const s = data.series[p.seriesIndex];
        return "\n" + plain(s.name) + "  " + (s.right ? word[data.second.unit] : say)(s.values[p.dataIndex]);
      }).join("");
      option.grid = { left: 8, right: 12, top: data.series.length > 1 ? 34 : 14, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };
      if (data.series.length > 1) option.legend = { top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 8, textStyle: { color: dim } };
      const names = { type: "category", data: data.labels.map((x) => plain(short(x, 24))), axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, axisLabel: { color: dim, hideOverlap: true } };
      const axis = (unit) => ({
        type: "value", axisLabel: { color: dim, formatter: (n) => word[unit](n).replace(".0 ", " "), hideOverlap: true },
        splitLine: { lineStyle: { color: line } }, ...(unit == "bytes" ? marks(data) : {}),
      });
      const across = data.signed;
      option[across ? "yAxis" : "xAxis"] = across ? { ...names, inverse: true } : names;
      option[across ? "xAxis" : "yAxis"] = data.second ? [axis(data.unit), { ...axis(data.second.unit), splitLine: { show: false } }] : axis(data.unit);
      option.series = data.series.map((s) => ({
        name: plain(s.name), type: data.kind, stack: data.stacked ? "all" : undefined, yAxisIndex: s.right ? 1 : 0,
        barMaxWidth: 28, symbolSize: 6, lineStyle: { width: 2, type: s.right ? "dashed" : "solid" },
        itemStyle: { color: hue(s), borderColor: sheet, borderWidth: data.stacked && data.series.length > 1 ? 0.5 : 0 },
        data: s.values,
      }));
    }
    const chart = echarts.init(place, null, { renderer: "canvas" });
    chart.setOption(option);
    chart.on("click", (p) => {
      const to = data.kind === "treemap" ? p.data.href : data.links && data.links[p.dataIndex];
      if (to) location.assign(to);
    });
    drawn.push(chart);
  }

  // marks returns where an axis of bytes has its marks: at powers of two, as KiB, MiB
  // and so on are counted.
  function marks(data) {
    const all = data.series.filter((s) => !s.right).map((s) => s.values);
    const at = (i) => data.stacked
      ? [all.reduce((sum, v) => sum + Math.min(v[i], 0), 0), all.reduce((sum, v) => sum + Math.max(v[i], 0), 0)]
      : [Math.min(0, ...all.map((v) => v[i])), Math.max(0, ...all.map((v) => v[i]))];
    const ends = data.labels.flatMap((_, i) => at(i));
    const low = Math.min(...ends), high = Math.max(...ends);
    if (low == high) return {};
    const interval = 2 ** Math.ceil(Math.log2(Math.max((high - low) / 5, 1)));
    return { interval, min: Math.floor(low / interval) * interval, max: Math.ceil(high / interval) * interval };
  }

  // shade makes colours of one hue: the first is as it is, the last ones paler.
  function shade(rgb, i, n) {
    const part = 0.35 * Math.min(i / Math.max(n - 1, 1), 1);
    const [r, g, b] = rgb.match(/[\d.]+/g).map(Number);
    const dark = (x) => Math.round(x * (0.82 - part * 0.9));
    return `rgb(${dark(r)}, ${dark(g)}, ${dark(b)})`;
  }

  function drawAll() {
    if (!window.echarts) return;
    for (const chart of drawn.splice(0)) chart.dispose();
    for (const figure of document.querySelectorAll("figure.chart")) draw(figure);
    document.body.dataset.charts = String(drawn.length);
  }

  // showFaults puts what is wrong with a form beside its fields.
  function showFaults() {
    const faults = {};
    for (const li of document.querySelectorAll("[data-fault]")) faults[li.dataset.fault] = li.dataset.text;
    for (const p of document.querySelectorAll("[data-error]")) {
      const text = faults[p.dataset.error] || "";
      p.textContent = text;
      p.hidden = !text;
      for (const input of p.parentElement.querySelectorAll("input")) {
        if (text) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
      }
    }
  }

  function addCopyButtons(within) {
    if (!navigator.clipboard) return;
    for (const pre of within.querySelectorAll("pre[data-copy]")) {
      if (pre.previousElementSibling && pre.previousElementSibling.classList.contains("copy")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(pre.textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
      pre.before(button);
    }
  }

  // card tells each cell of a table what its column is called, so that on a phone a row
  // can be shown as a card. A row then still is a row for a screen reader.
  function card(within) {
    const role = (all, name) => { for (const e of all) e.setAttribute("role", name); };
    for (const table of within.querySelectorAll("table")) {
      const names = [...table.querySelectorAll("thead th")].map((th) => th.textContent);
      table.classList.add("cards");
      role([table], "table");
      role(table.querySelectorAll("thead, tbody"), "rowgroup");
      role(table.querySelectorAll("tr"), "row");
      role(table.querySelectorAll("td"), "cell");
      role(table.querySelectorAll("thead th"), "columnheader");
      role(table.querySelectorAll("tbody th"), "rowheader");
      for (const row of table.querySelectorAll("tbody tr")) {
        [...row.cells].forEach((cell, i) => { if (cell.localName == "td" && cell.colSpan == 1) cell.dataset.column = names[i]; });
      }
    }
  }

  // trouble says above the page that it is not up to date any more, or what an answer
  // was instead of a part of the page. Without a text it says that it is over.
  const status = document.getElementById("trouble");
  let troubled = false;
  function trouble(text, link) {
    if (!text && !troubled) return;
    troubled = Boolean(text);
    const p = document.createElement("p");
    p.className = text ? "note warn" : "note good";
    p.textContent = text || "The server answers again.";
    if (link) {
      const a = document.createElement("a");
      a.href = link.href;
      a.textContent = link.text;
      p.append(" ", a);
    }
    status.replaceChildren(p);
    if (!text) setTimeout(() => { if (!troubled) status.replaceChildren(); }, 5000);
  }
  const refused = (status, text) => {
    const here = location.pathname + location.search;
    if (status == 401) trouble("You are not signed in any more: you have signed out, or the server was started again.", { href: "/sign-in?next=" + encodeURIComponent(here), text: "Sign in" });
    else if (status == 404) trouble("What this page shows is not there any more.", { href: here, text: "Load it again" });
    else trouble(text || "The server answers with an error: " + status);
  };
  const silent = "The server does not answer. What the page shows may be out of date.";

  // A page that is kept up to date tries again by itself, less and less often. It hears
  // of the server every second; one that hangs says nothing for longer.
  let heard = 0;
  const listen = () => {
    clearTimeout(heard);
    heard = setTimeout(() => { if (!document.hidden) trouble(silent); }, 5000);
  };
  document.addEventListener("visibilitychange", () => clearTimeout(heard));
  document.addEventListener("htmx:sse:error", (e) => {
    clearTimeout(heard);
    if (e.detail.status) refused(e.detail.status); else trouble(silent + " It tries again by itself.");
  });
  document.addEventListener("htmx:sse:after:message", () => { trouble(""); listen(); });
  document.addEventListener("htmx:response:error", (e) => refused(e.detail.ctx.response.status, e.detail.ctx.text));
  document.addEventListener("htmx:error", () => trouble(silent));
  document.addEventListener("htmx:after:request", (e) => { if (e.detail.ctx.response.status < 400) trouble(""); });
  document.addEventListener("htmx:sse:close", (e) => {
    clearTimeout(heard);
    const shown = document.querySelector("#verification progress");
    if (shown && e.target.id == "verify") shown.replaceWith("The verification was interrupted. Start it again.");
  });

  // open keeps the folds of a form's preview open that a person has opened.
  let open = [];
  document.addEventListener("htmx:before:swap", () => {
    open = [...document.querySelectorAll("#verdict details")].map((d) => d.open);
  });
  document.addEventListener("htmx:after:swap", () => {
    const folds = document.querySelectorAll("#verdict details");
    folds.forEach((d, i) => { d.open = Boolean(open[i]); });
    if (document.querySelector("#verdict")) { showFaults(); addCopyButtons(document); }
    card(document);
  });

  // A run that has ended cannot be cancelled any more; a person who does not see
  // the page is told so.
  document.addEventListener("ended", () => {
    const cancel = document.getElementById("cancel"), said = document.getElementById("said"), state = document.querySelector("#live .pill");
    if (cancel) cancel.remove();
    if (said && state) said.textContent = "The run has ended: " + state.textContent;
  });

  const theme = document.getElementById("theme");
  theme.hidden = false;
  const name = () => { theme.textContent = { "": "Theme: system", light: "Theme: light", dark: "Theme: dark" }[kept()]; };
  name();
  theme.addEventListener("click", () => {
    const next = { "": "light", light: "dark", dark: "" }[kept()];
    try { localStorage.setItem("theme", next); } catch { /* it lasts for this page */ }
    apply(next);
    name();
    drawAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("themechange", drawAll);
  addEventListener("resize", () => { for (const chart of drawn) chart.resize(); });

  addCopyButtons(document);
  card(document);
  drawAll();
})();
