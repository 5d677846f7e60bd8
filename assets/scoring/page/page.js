/** Shows what the service says of itself at /state, once a second. All of it is text: nothing of a flow becomes markup. */

const EVERY_MS = 1000;
const BIN = 5; // seconds that a bar of the chart has
const [HIGH, LOW] = [130, 60];
const NARROW = 420;
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const number = (value) => (value !== 0 && Math.abs(value) < 10 ? fine : whole).format(value);
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const time = (at) => clock.format(new Date(at));
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** An element with what is in it; texts stay texts. */
function h(tag, { class: name, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** What was said last of each part, so that what is the same is not drawn anew under somebody's eyes. */
const drawn = new Map();

function draw(id, said, make) {
  const key = JSON.stringify(said);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  byId(id).replaceChildren(...[make()].flat());
}

const nothing = (text) => h("p", { class: "empty" }, text);

// Parts of the page ---------------------------------------------------------------------------------------------------

function showModel({ model, refused, place }) {
  const state = refused ? "refused" : model ? "scores" : "waits";
  byId("model").dataset.state = state;
  const words = { scores: "scores", waits: "no model yet", refused: model ? "a model was refused" : "refused" };
  set("state", words[state]);
  set("name", model ? `${model.name} ${model.sha256.slice(0, 12)}${model.run ? ` of run ${model.run}` : ""}` : "");
  const swaps = model?.swaps ? `, number ${model.swaps + 1} since the start` : "";
  set("since", model ? `since ${moment.format(new Date(model.since))}${swaps}` : "");
  const about = `Model ${model?.licence}. An alarm is a score above ${number(model?.threshold)}.`;
  set("licence", model ? about : `It is looked for at ${place}, until it is there.`);
  const kept = model ? " The one above goes on." : " It is looked for again and again.";
  set("trouble", refused ? `${refused.model} was not let in at ${time(refused.at)}: ${refused.why}.${kept}` : "");
  byId("trouble").hidden = !refused;
  document.title = model ? `Scoring: ${model.name}` : "Scoring";
}

function set(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

function tiles({ rate, times, flows, alarms, faults }) {
  const recent = times.reduce((sum, [, , of]) => sum + of, 0);
  const figures = [
    ["flows a second, over 10 seconds", number(rate)],
    ["alarms in 15 minutes", number(recent)],
    ["flows since the start", number(flows)],
    ["alarms since the start", number(alarms)],
    ["lines that could not be read", number(faults)],
  ];
  return figures.map(([what, value]) => h("div", {}, h("dt", {}, what), h("dd", {}, value)));
}

/** Flows and alarms a second, in bins; those of a bin that is not over yet are left out. */
function chart({ now, seconds, times }, width) {
  const last = Math.floor(now / BIN) * BIN;
  const bins = Array.from({ length: seconds / BIN }, () => [0, 0]);
  for (const [at, flows, alarms] of times) {
    const bin = bins[bins.length - Math.ceil((last - at) / BIN)];
    if (bin && at < last) {
      bin[0] += flows / BIN;
      bin[1] += alarms / BIN;
    }
  }
  const [left, top, gap, bottom] = [8, 18, 26, 20];
  const height = top + HIGH + gap + LOW + bottom;
  const step = (width - left * 2) / bins.length;
  const rows = [
    { name: "flows", place: 0, base: top + HIGH, tall: HIGH },
    { name: "alarms", place: 1, base: top + HIGH + gap + LOW, tall: LOW },
  ];
  const parts = rows.flatMap(({ name, place, base, tall }) => {
    const most = Math.max(...bins.map((bin) => bin[place]));
    const path = bins
      .map((bin, at) => [left + at * step, most ? (bin[place] / most) * tall : 0])
      .filter(([, high]) => high > 0)
      .map(
        ([x, high]) => `M${x.toFixed(1)} ${base}v${-Math.max(high, 1).toFixed(1)}h${(step * 0.85).toFixed(2)}V${base}z`,
      )
      .join("");
    return [
      s("line", { x1: left, x2: width - left, y1: base, y2: base }),
      s("path", { class: name, d: path }),
      s("text", { x: left, y: base - tall - 5 }, most ? `up to ${number(most)} ${name} a second` : `no ${name}`),
    ];
  });
  const ends = [0, 0.5, 1].map((part) => {
    const anchor = ["start", "middle", "end"][part * 2];
    const at = (last - seconds * (1 - part)) * 1000;
    const text = time(at).slice(0, width < NARROW ? 5 : 8);
    return s("text", { x: left + part * (width - left * 2), y: height - 5, "text-anchor": anchor }, text);
  });
  const label = `Flows and alarms a second from ${time((last - seconds) * 1000)} to ${time(last * 1000)}`;
  return s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...parts, ...ends);
}

function families(counts) {
  const all = Object.entries(counts);
  if (all.length === 0) return nothing("No alarm in the last 15 minutes.");
  const most = Math.max(...all.map(([, count]) => count));
  const rows = all.flatMap(([family, count]) => {
    const fill = h("i");
    fill.style.width = `${(100 * count) / most}%`;
    return [
      h("span", {}, family),
      h("span", { class: "bar" }, fill),
      h("span", { class: "number" }, whole.format(count)),
    ];
  });
  return h("div", { class: "bars" }, ...rows);
}

function sources(told) {
  const all = Object.entries(told);
  if (all.length === 0) return nothing("From requests alone: neither files nor Kafka are followed.");
  const rows = all.map(([name, how]) => [
    { text: name, class: "word" },
    { text: how, class: "word" },
  ]);
  return table(["Source", "How it goes"], rows);
}

function latest(alarms) {
  if (alarms.length === 0) return nothing("No alarm yet.");
  const end = (host, port) => (host === null ? "" : `${host}${port === null ? "" : `:${port}`}`);
  const rows = alarms.map((alarm) => [
    { text: time(alarm.at) },
    { text: alarm.family },
    { text: alarm.score.toPrecision(3), class: "number" },
    { text: end(alarm.srcip, alarm.sport) },
    { text: end(alarm.dstip, alarm.dsport) },
    { text: [alarm.protocol, alarm.service, alarm.state].join(" ") },
  ]);
  return table(["Time", "Family", ["Score", "number"], "From", "To", "Protocol, service, state"], rows);
}

function unread(faults) {
  if (faults.length === 0) return nothing("Every line was a flow.");
  const rows = faults.map(({ at, source, fault }) => [
    { text: time(at) },
    { text: source },
    { text: fault, class: "text" },
  ]);
  return table(["Time", "Source", "What was expected"], rows);
}

function table(heads, rows) {
  const head = heads.map((name) => {
    const [text, kind] = [name].flat();
    return h("th", { scope: "col", ...(kind && { class: kind }) }, text);
  });
  const body = rows.map((cells) => h("tr", {}, ...cells.map(({ text, ...rest }) => h("td", rest, text))));
  return h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...body));
}

// Asking --------------------------------------------------------------------------------------------------------------

function show(state) {
  showModel(state);
  draw("tiles", [state.rate, state.flows, state.alarms, state.faults, state.times], () => tiles(state));
  const width = Math.max(280, Math.round(byId("times").clientWidth));
  draw("times", [Math.floor(state.now / BIN), width], () => chart(state, width));
  draw("families", state.families, () => families(state.families));
  draw("sources", state.sources, () => sources(state.sources));
  draw("latest", state.latest, () => latest(state.latest));
  draw("unread", state.unread, () => unread(state.unread));
}

let heard = "";

async function ask() {
  try {
    const answer = await fetch("state", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error((await answer.json()).error);
    show(await answer.json());
    heard = clock.format(new Date());
    byId("banner").hidden = true;
  } catch {
    byId("model").dataset.state = "lost";
    set("state", "doesn't answer");
    set(
      "banner",
      heard ? `The service doesn't answer. This is what it said at ${heard}.` : "The service doesn't answer.",
    );
    byId("banner").hidden = false;
  }
  setTimeout(ask, EVERY_MS);
}

ask();
