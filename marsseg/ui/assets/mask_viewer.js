// The viewer: rows of panels, one probe across each row, repainted in the browser without asking Python.

const LARGE_PIXELS = 256; // wider images share the page's width instead of being enlarged
const views = new WeakMap();

async function unpackRows(rows) {
  const panel = async (packed) => ({
    ...packed,
    image: await unpack(packed.image),
    truth: await unpack(packed.truth),
    confidence: await unpack(packed.confidence),
    masks: await Promise.all(packed.masks.map(unpack)),
  });
  return Promise.all(rows.map(async (row) => ({ ...row, panels: await Promise.all(row.panels.map(panel)) })));
}

function drawRow(row, { scale, one_line }, view) {
  const widest = Math.max(...row.panels.map((panel) => panel.width));
  const figures = row.panels.map((panel) => drawPanel(panel, row));
  const panels = element("div", { className: widest > LARGE_PIXELS ? "panels large" : "panels" });
  panels.classList.toggle("line", one_line);
  panels.append(...figures.map((figure) => figure.root));
  figures.forEach((figure) => followPointer(figure, figures, view));
  const section = element("section", { className: "row" });
  section.style.setProperty("--panel-width", `${widest * scale}px`);
  section.style.setProperty("--panels", row.panels.length);
  if (row.title) section.append(element("h3", {}, row.title));
  section.append(panels);
  return { section, figures };
}

function drawPanel(panel, row) {
  const label = [row.title, panel.title].filter(Boolean).join(", ");
  const canvas = element("canvas", { tabIndex: 0, role: "img", "aria-label": label });
  const probe = element("div", { className: "probe", hidden: true });
  const read = element("span", { className: "reading" });
  const title = element("span", { className: "title", title: panel.title }, panel.title);
  const note = element("span", { className: "note" }, panel.note);
  const root = element(
    "figure",
    {},
    element("div", { className: "frame" }, canvas, probe),
    element("figcaption", {}, title, note, read),
  );
  return { root, canvas, probe, read, panel };
}

// The same pixel is read in every panel of the row, by pointer or by arrow keys.
function followPointer(figure, figures, view) {
  const { canvas, panel } = figure;
  let at = [Math.floor(panel.width / 2), Math.floor(panel.height / 2)];
  const point = (x, y) => {
    at = [clamp(x, panel.width), clamp(y, panel.height)];
    figures.forEach((other) => readPixel(other, ...at, view));
  };
  canvas.onpointermove = (event) => {
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * panel.width;
    const y = ((event.clientY - box.top) / box.height) * panel.height;
    point(Math.floor(x), Math.floor(y));
  };
  canvas.onpointerleave = canvas.onblur = () => {
    figure.read.removeAttribute("aria-live");
    figures.forEach(forgetPixel);
  };
  canvas.onkeydown = (event) => {
    const step = event.shiftKey ? 8 : 1;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    figure.read.setAttribute("aria-live", "polite");
    point(at[0] + move[0] * step, at[1] + move[1] * step);
  };
}

function clamp(value, size) {
  return Math.min(size - 1, Math.max(0, value));
}

function readPixel(figure, x, y, view) {
  const { panel, probe, read } = figure;
  const inside = x < panel.width && y < panel.height;
  probe.hidden = !inside;
  if (!inside) return;
  figure.at = [x, y];
  read.textContent = reading(panel, view.frame, y * panel.width + x, view.classes);
  probe.style.left = `${(100 * x) / panel.width}%`;
  probe.style.top = `${(100 * y) / panel.height}%`;
  probe.style.width = `${100 / panel.width}%`;
  probe.style.height = `${100 / panel.height}%`;
}

function forgetPixel(figure) {
  figure.at = null;
  figure.probe.hidden = true;
  figure.read.textContent = "";
}

// Lines of panels that are wider than the page scroll sideways together.
function scrollTogether(lines, view) {
  const follow = ({ target }) => {
    view.left = target.scrollLeft;
    for (const line of lines) if (line.scrollLeft !== view.left) line.scrollLeft = view.left;
  };
  for (const line of lines) {
    line.scrollLeft = view.left;
    line.onscroll = follow;
  }
}

function repaint(view) {
  const { opacity, stretch, hidden, fit } = view.settings;
  for (const line of view.lines) line.classList.toggle("fit", fit);
  const visible = view.classes.map((_, index) => !hidden.includes(index));
  const colors = view.classes.map(({ color }) => rgb(color));
  for (const figure of view.figures) {
    paint(figure.canvas, figure.panel, view.frame, { opacity, stretch, visible, colors });
    if (figure.at) readPixel(figure, ...figure.at, view);
  }
}

async function show(root, data, view) {
  const turn = (view.turn += 1);
  const find = (name) => root.querySelector(`.${name}`);
  const rows = await unpackRows(data.rows);
  if (turn !== view.turn) return; // newer data came while these were unpacked
  view.classes = data.classes;
  const drawn = rows.map((row) => drawRow(row, data, view));
  view.figures = drawn.flatMap((row) => row.figures);
  view.lines = drawn.flatMap((row) => [...row.section.querySelectorAll(".line")]);
  keepPlace(view, data.timeline);
  drawBar(find("bar"), data, view.settings, () => {
    remember(data.settings, view.settings);
    repaint(view);
  });
  drawTimeline(find("timeline"), data.timeline, view, () => repaint(view));
  repaint(view);
  // Rows of a single tile stand side by side as far as there is room.
  find("rows").classList.toggle("flow", rows.length > 1 && rows.every((row) => row.panels.length === 1));
  find("rows").replaceChildren(...drawn.map((row) => row.section));
  scrollTogether(view.lines, view);
  find("rows").setAttribute("aria-busy", "false");
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  if (!views.has(parentElement)) {
    const settings = recall(data.settings);
    const nothing = { figures: [], lines: [], labels: [], classes: [], timer: null };
    views.set(parentElement, { settings, frame: 0, turn: 0, left: 0, ...nothing });
  }
  const view = views.get(parentElement);
  if (view.version !== data.version) {
    view.version = data.version;
    show(root, data, view).catch((error) => {
      const problem = root.querySelector(".problem");
      problem.hidden = false;
      problem.textContent = `The masks could not be drawn (${error.message}); reload the page.`;
    });
  }
  return () => {
    clearInterval(view.timer);
    views.delete(parentElement);
  };
}
