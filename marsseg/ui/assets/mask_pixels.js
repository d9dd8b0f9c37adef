// Pixels: unpack what Python sent, and mix image and mask into colours. No page elements here.
//
// Arrays travel as deflated bytes and are never read back from a canvas: some browsers change what a
// canvas gives back, and a class number must arrive as it was sent.

const KEPT_BYTES = 128 * 2 ** 20; // ten frames of four megapixels, or a thousand epochs of eight tiles
const unpacked = new Map();
let kept = 0;

async function unpack(packed) {
  if (!packed) return null;
  const known = unpacked.get(packed);
  if (known) return known;
  if (kept > KEPT_BYTES) {
    unpacked.clear();
    kept = 0;
  }
  const arriving = inflate(packed);
  unpacked.set(packed, arriving);
  kept += packed.length + (await arriving).length;
  return arriving;
}

async function inflate(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Gray values as shown: unchanged, or stretched so that the darkest and brightest hundredth clip.
function grayTable(image, stretch) {
  const table = new Uint8ClampedArray(256);
  let low = 0;
  let high = 255;
  if (stretch) {
    const counts = new Uint32Array(256);
    for (const value of image) counts[value] += 1;
    const edge = image.length / 100;
    for (let sum = 0; low < 254 && (sum += counts[low]) <= edge; low += 1);
    for (let sum = 0; high > low + 1 && (sum += counts[high]) <= edge; high -= 1);
  }
  for (let value = 0; value < 256; value += 1) table[value] = ((value - low) * 255) / (high - low);
  return table;
}

function rgb(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

const DIFFERENCE = [0, 158, 115]; // a green that no class has

// One colour rule a mode: what stands at pixel i over gray value g, as [colour, opacity].
const RULES = {
  image: () => null,
  overlay: ({ mask, colors, visible, opacity }) => (i) =>
    visible[mask[i]] ? [colors[mask[i]], opacity] : null,
  error: ({ mask, truth, colors, visible, width }) => (i) => {
    if (truth[i] === 0) return (((i % width) + Math.floor(i / width)) >> 1) % 4 ? [[0, 0, 0], 0.3] : null;
    if (mask[i] === truth[i] || !visible[mask[i]]) return [[128, 124, 120], 0.6];
    return [colors[mask[i]], 0.85];
  },
  difference: ({ mask }) => (i) => (mask[i] ? [DIFFERENCE, 0.75] : [[128, 124, 120], 0.6]),
};

function paint(canvas, panel, frame, settings) {
  const { image, height, width } = panel;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const table = grayTable(image, settings.stretch);
  const mask = panel.masks[Math.min(frame, panel.masks.length - 1)];
  const rule = RULES[panel.mode]({ ...settings, mask, truth: panel.truth, width });
  const pixels = new ImageData(width, height);
  for (let i = 0; i < image.length; i += 1) {
    const gray = table[image[i]];
    const over = rule ? rule(i) : null;
    for (let channel = 0; channel < 3; channel += 1) {
      pixels.data[4 * i + channel] = over ? over[0][channel] * over[1] + gray * (1 - over[1]) : gray;
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

// What a panel says about one pixel.
function reading(panel, frame, i, classes) {
  const mask = panel.masks[Math.min(frame, panel.masks.length - 1)];
  if (panel.mode === "image" || !mask) return `gray ${panel.image[i]}`;
  if (panel.mode === "difference") return mask[i] ? "differ" : "agree";
  const sure = panel.confidence ? ` ${(panel.confidence[i] / 255).toFixed(2)}` : "";
  const found = `${classes[mask[i]].name}${sure}`;
  if (panel.mode !== "error") return found;
  if (panel.truth[i] === 0) return "unlabelled";
  return mask[i] === panel.truth[i] ? `right: ${found}` : `${classes[panel.truth[i]].name} → ${found}`;
}
