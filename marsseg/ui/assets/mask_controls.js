// Controls: opacity, contrast, classes on and off, and the slider through time.

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

// The part of a slider left of its thumb is filled.
function fill(slider) {
  const share = (slider.value - slider.min) / (slider.max - slider.min || 1);
  slider.style.setProperty("--done", `${100 * share}%`);
}

function recall(name) {
  const fresh = { opacity: 0.45, stretch: true, hidden: [], fit: false };
  try {
    return { ...fresh, ...JSON.parse(sessionStorage.getItem(`marsseg.viewer.${name}`) ?? "{}") };
  } catch {
    return fresh;
  }
}

function remember(name, settings) {
  try {
    sessionStorage.setItem(`marsseg.viewer.${name}`, JSON.stringify(settings));
  } catch {
    // Without storage the settings last as long as the page does.
  }
}

function drawBar(bar, data, settings, changed) {
  const modes = new Set(data.rows.flatMap((row) => row.panels.map((panel) => panel.mode)));
  const masked = modes.has("overlay") || modes.has("error");
  const parts = [contrastSwitch(settings, changed)];
  if (data.one_line) parts.push(fitSwitch(settings, changed));
  if (modes.has("overlay")) parts.unshift(opacitySlider(settings, changed));
  if (masked) parts.push(classButtons(data.classes, settings, changed));
  if (modes.has("error")) {
    const text = "Error map: striped is unlabelled, gray is right, a colour is wrong and says what was predicted.";
    parts.push(element("span", { className: "key", textContent: text }));
  }
  bar.replaceChildren(...parts);
}

function opacitySlider(settings, changed) {
  const shown = element("output");
  const slider = element("input", { type: "range", min: 0, max: 1, step: 0.05, value: settings.opacity });
  const say = () => {
    shown.textContent = `${Math.round(settings.opacity * 100)} %`;
    fill(slider);
  };
  slider.oninput = () => {
    settings.opacity = Number(slider.value);
    say();
    changed();
  };
  say();
  return element("label", { className: "control" }, "Opacity", slider, shown);
}

function contrastSwitch(settings, changed) {
  const title = "Brightens dark images for viewing only; the data stay as they are.";
  return toggle("Stretch contrast", title, settings, "stretch", changed);
}

function fitSwitch(settings, changed) {
  const title = "Puts all pictures of a tile beside one another; without it, those that find no room go below.";
  return toggle("Fit to width", title, settings, "fit", changed);
}

function toggle(label, title, settings, name, changed) {
  const box = element("input", { type: "checkbox", checked: settings[name] });
  box.onchange = () => {
    settings[name] = box.checked;
    changed();
  };
  return element("label", { className: "control", title }, box, label);
}

function classButtons(classes, settings, changed) {
  const buttons = classes.map(({ name, color }, index) => {
    const swatch = element("span", { className: "swatch" });
    swatch.style.setProperty("--color", color);
    const pressed = !settings.hidden.includes(index);
    const button = element("button", { type: "button", "aria-pressed": pressed }, swatch, name);
    button.onclick = () => {
      const hidden = new Set(settings.hidden);
      if (!hidden.delete(index)) hidden.add(index);
      settings.hidden = [...hidden];
      button.setAttribute("aria-pressed", !hidden.has(index));
      changed();
    };
    return button;
  });
  return element("span", { className: "classes", role: "group", "aria-label": "Classes shown" }, ...buttons);
}

const STEP_MILLISECONDS = 450;

function drawTimeline(place, timeline, view, changed) {
  place.hidden = !timeline;
  if (!timeline) return;
  const last = timeline.labels.length - 1;
  const slider = element("input", { type: "range", min: 0, max: last, step: 1, "aria-label": timeline.unit });
  const shown = element("output");
  const play = element("button", { type: "button" });
  const show = (frame) => {
    view.frame = frame;
    slider.value = frame;
    fill(slider);
    shown.textContent = timeline.texts[frame];
    slider.setAttribute("aria-valuetext", timeline.texts[frame]);
    changed();
  };
  const stop = () => {
    clearInterval(view.timer);
    view.timer = null;
    play.textContent = "▶ Play";
  };
  const start = () => {
    if (view.frame >= last) show(0);
    play.textContent = "❚❚ Pause";
    view.timer = setInterval(() => (view.frame >= last ? stop() : show(view.frame + 1)), STEP_MILLISECONDS);
  };
  const wasPlaying = view.timer !== null;
  stop();
  play.disabled = last < 1;
  play.onclick = () => (view.timer === null ? start() : stop());
  slider.oninput = () => {
    stop();
    show(Number(slider.value));
  };
  place.replaceChildren(play, slider, shown);
  show(view.frame);
  if (wasPlaying) start();
}

// Where the slider stands after new masks arrived: at the end if it was there, else at its epoch.
function keepPlace(view, timeline) {
  const labels = timeline?.labels ?? [];
  const wasAtEnd = view.labels.length === 0 || view.frame >= view.labels.length - 1;
  const same = labels.indexOf(view.labels[view.frame]);
  view.frame = Math.max(0, wasAtEnd || same < 0 ? labels.length - 1 : same);
  view.labels = labels;
}
